"""Times transformers on the default checkpoint, f32 on the CPU, for comparison with `lorgnette bench`.

    python bench_transformers.py --model ../../models/lorgnette-tiny --samples ../../assets/samples
"""

import argparse
import json
import resource
import statistics
import sys
import time
from importlib.metadata import version
from pathlib import Path

start = time.perf_counter()
import torch
from PIL import Image

from checkpoint import Checkpoint

IMPORTED = time.perf_counter() - start

QUESTION = "What is that?"
UNITS = {
    "first_token_s": "shutter to first token: JPEG decode, resize, encode, prefill",
    "encode_s": "of which vision tower and projector",
    "prefill_tok_s": "prompt tokens / (encode + prefill)",
    "prefill_text_tok_s": "prompt tokens / prefill of the language model alone",
    "decode_tok_s": "tokens after the first / time for them",
}


@torch.inference_mode()
def measure(checkpoint: Checkpoint, jpeg: Path, tokens: int) -> dict[str, float]:
    model, clock = checkpoint.model, time.perf_counter
    shutter = clock()
    # The file is read and decoded inside the clock: Image.open alone is lazy.
    inputs = checkpoint.inputs([("user", QUESTION)], [checkpoint.resize(Image.open(jpeg))])
    step = inputs.for_model()
    prepared = clock()
    image = model.get_image_features(step.pop("pixel_values"), step.pop("pixel_attention_mask"), return_dict=True)
    encoded = clock()
    out = model(**step, mm_encoder_outputs={"image": image}, use_cache=True, logits_to_keep=1)
    token = out.logits[:, -1].argmax(-1, keepdim=True)
    first = clock()
    length = len(inputs.tokens)
    for _ in range(tokens):
        # The end token is taken like any other, so that every picture costs the same steps.
        length += 1
        out = model(
            input_ids=token,
            attention_mask=torch.ones(1, length, dtype=torch.long),
            past_key_values=out.past_key_values,
            use_cache=True,
        )
        token = out.logits[:, -1].argmax(-1, keepdim=True)
    done = clock()
    return {
        "first_token_s": first - shutter,
        "encode_s": encoded - prepared,
        "prefill_tok_s": len(inputs.tokens) / (first - prepared),
        "prefill_text_tok_s": len(inputs.tokens) / (first - encoded),
        "decode_tok_s": tokens / (done - first),
    }


def peak_rss_mb() -> float:
    # Linux counts kibibytes, macOS bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    args.add_argument("--model", type=Path, required=True)
    args.add_argument("--samples", type=Path, required=True)
    args.add_argument("--n", type=int, default=10, help="measured runs, one picture each, in name order")
    args.add_argument("--tokens", type=int, default=20, help="decode steps a run")
    args.add_argument("--threads", type=int, default=2)
    # sdpa is what transformers picks by itself.
    args.add_argument("--attention", choices=["sdpa", "eager"], default="sdpa")
    args.add_argument("--json", action="store_true")
    args = args.parse_args()
    torch.set_num_threads(args.threads)
    torch.set_num_interop_threads(1)

    # The CUDA build of torch alone weighs hundreds of MB, so the modules are counted apart.
    imported_mb = peak_rss_mb()
    before = time.perf_counter()
    checkpoint = Checkpoint(args.model, args.attention)
    load = time.perf_counter() - before

    pictures = sorted(args.samples.glob("*.jpg"))
    if not pictures:
        raise SystemExit(f"no .jpg in {args.samples}")
    # The first run pays for lazy set-up inside torch.
    measure(checkpoint, pictures[-1], args.tokens)
    runs = [measure(checkpoint, pictures[i % len(pictures)], args.tokens) for i in range(args.n)]
    figures = {}
    for name in UNITS:
        values = [run[name] for run in runs]
        figures[name] = {"median": statistics.median(values), "min": min(values), "max": max(values)}

    report = {
        "n": args.n,
        "tokens": args.tokens,
        "threads": args.threads,
        "attention": args.attention,
        "versions": {p: version(p) for p in ("transformers", "torch")},
        "import_s": IMPORTED,
        "load_s": load,
        "import_rss_mb": imported_mb,
        "peak_rss_mb": peak_rss_mb(),
        **figures,
    }
    if args.json:
        print(json.dumps(report, indent=1))
        return
    print(f"transformers {report['versions']['transformers']}, torch {report['versions']['torch']}, f32,", end=" ")
    print(f"{args.threads} threads, {args.attention} attention, n = {args.n}, {args.tokens} tokens")
    print(f"{'import_s':20}{IMPORTED:10.2f}  once, Python modules")
    print(f"{'load_s':20}{load:10.2f}  once, from the GGUF to a model that answers")
    print(f"{'import_rss_mb':20}{imported_mb:10.0f}  resident before the checkpoint is loaded")
    print(f"{'peak_rss_mb':20}{report['peak_rss_mb']:10.0f}  of the whole process, modules included")
    for name, what in UNITS.items():
        f = figures[name]
        print(f"{name:20}{f['median']:10.3f}  ({f['min']:.3f} to {f['max']:.3f})  {what}")


if __name__ == "__main__":
    main()
