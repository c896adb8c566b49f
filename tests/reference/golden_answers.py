"""Writes the golden answers: what transformers says, greedily in f32, about fixed pixels.

    python golden_answers.py --model ../../models/lorgnette-tiny --samples ../../assets/samples --out ../golden/answers
"""

import argparse
import json
from importlib.metadata import version
from pathlib import Path

import torch
from PIL import Image

from checkpoint import Checkpoint, Inputs, weights_sha256

WHAT = "What is that?"
# name, pictures, questions (one a turn, answered greedily in between), longest answer
CASES = [
    ("cat", ["cat"], [WHAT], 20),
    ("lemon", ["lemon"], [WHAT], 20),
    ("t-shirt", ["t-shirt"], [WHAT], 20),
    ("coffee", ["coffee"], [WHAT], 20),
    ("dahlia", ["dahlia"], [WHAT], 20),
    ("t-shirt-detail", ["t-shirt"], ["Describe this picture in detail."], 64),
    ("lemon-and-cat", ["lemon", "cat"], ["What is in these pictures?"], 20),
    ("lemon-two-turns", ["lemon"], [WHAT, "What colour is it?"], 20),
]


@torch.inference_mode()
def greedy(checkpoint: Checkpoint, inputs: Inputs, max_new_tokens: int) -> dict:
    answer, logprobs, margins = [], [], []
    end_logprob = end_margin = None
    step = inputs.for_model()
    cache = None
    # No pass after the last allowed token: what would follow it is not part of the answer.
    for _ in range(max_new_tokens):
        out = checkpoint.model(**step, past_key_values=cache, use_cache=True, logits_to_keep=1)
        cache = out.past_key_values
        logits = out.logits[0, -1].double()
        (first, second), (token, _) = (t.tolist() for t in logits.topk(2))
        logprob = round(torch.log_softmax(logits, -1)[token].item(), 6)
        margin = round(first - second, 4)
        if token == checkpoint.end_token:
            end_logprob, end_margin = logprob, margin
            break
        answer.append(token)
        logprobs.append(logprob)
        margins.append(margin)
        step = {
            "input_ids": torch.tensor([[token]]),
            "attention_mask": torch.ones(1, len(inputs.tokens) + len(answer), dtype=torch.long),
        }
    return {
        "answer": checkpoint.text(answer),
        "answer_tokens": answer,
        "logprobs": logprobs,
        "margins": margins,
        "ended": end_logprob is not None,
        "end_logprob": end_logprob,
        "end_margin": end_margin,
    }


@torch.inference_mode()
def check_with_generate(checkpoint: Checkpoint, inputs: Inputs, result: dict, max_new_tokens: int) -> None:
    """The loop above against transformers' own one."""
    out = checkpoint.model.generate(
        **inputs.for_model(),
        do_sample=False,
        max_new_tokens=max_new_tokens,
        eos_token_id=checkpoint.end_token,
        pad_token_id=checkpoint.end_token,
    )
    expected = result["answer_tokens"] + [checkpoint.end_token] * result["ended"]
    seen = out[0, len(inputs.tokens) :].tolist()
    if seen != expected:
        raise SystemExit(f"generate() says {seen}, the loop {expected}")


def dump(report: dict, path: Path) -> None:
    """JSON with one field a line: short to read in a diff, where indent=1 would give each token a line."""
    cases = [
        "  {\n" + ",\n".join(f"   {json.dumps(k)}: {json.dumps(v)}" for k, v in case.items()) + "\n  }"
        for case in report["cases"]
    ]
    head = [f" {json.dumps(k)}: {json.dumps(v)}" for k, v in report.items() if k != "cases"]
    path.write_text("{\n" + ",\n".join(head) + ',\n "cases": [\n' + ",\n".join(cases) + "\n ]\n}\n")


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    args.add_argument("--model", type=Path, required=True)
    args.add_argument("--samples", type=Path, required=True)
    args.add_argument("--out", type=Path, required=True)
    args.add_argument("--threads", type=int, default=2)
    args.add_argument("--check", action="store_true", help="compare every answer with generate()")
    args = args.parse_args()
    torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    checkpoint = Checkpoint(args.model)

    def picture(name: str) -> Image.Image:
        png = args.out / f"{name}.png"
        checkpoint.resize(Image.open(args.samples / f"{name}.jpg")).save(png, optimize=True)
        # Read back, so that the answers come from the very file the app is given.
        return Image.open(png).convert("RGB")

    cases = []
    for name, images, questions, limit in CASES:
        pictures = [picture(image) for image in images]
        turns = []
        for question in questions:
            if turns:
                turns.append(["assistant", result["answer"]])
            turns.append(["user", question])
            inputs = checkpoint.inputs(turns, pictures)
            result = greedy(checkpoint, inputs, limit)
            if args.check:
                check_with_generate(checkpoint, inputs, result, limit)
        cases.append(
            {
                "name": name,
                "images": [f"{image}.png" for image in images],
                "turns": turns,
                "max_new_tokens": limit,
                "prompt": inputs.prompt,
                "prompt_tokens": inputs.tokens,
                **result,
            }
        )
        steps = result["margins"] + [result["end_margin"]] * result["ended"]
        print(f"{name}: {result['answer']!r} ended={result['ended']} smallest margin {min(steps):.3f}", flush=True)

    dump(
        {
            "weights_sha256": weights_sha256(args.model),
            "made_with": {p: version(p) for p in ("transformers", "torch", "tokenizers", "gguf", "pillow")},
            "end_token": checkpoint.end_token,
            "cases": cases,
        },
        args.out / "answers.json",
    )


if __name__ == "__main__":
    main()
