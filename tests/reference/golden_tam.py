"""Writes the golden numbers of the Token Activation Map: random logits, and the maps of every token of an answer.

    python golden_tam.py --out ../golden/tam
    python golden_tam.py --out ../golden/tam --tam PATH_TO_A_CHECKOUT_OF_xmed-lab/TAM

The formula is that of Li et al., "Token Activation Map to Visually Explain Multimodal LLMs" (ICCV 2025), as tam.py
of xmed-lab/TAM computes it. With --tam it is run beside the real tam.py, which also needs scipy and opencv.
"""

import argparse
import json
import sys
import types
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

VOCABULARY = 24
IMAGE, END_OF_IMAGE, TURN = 0, 1, 2


@dataclass
class Case:
    name: str
    side: int
    prompt: list[int]
    answer: list[int]
    seed: int
    # Rows and columns of patches that look alike, so that the filter meets constant windows.
    alike: tuple[slice, slice] | None = None
    # Ranges of the answer's tokens that are words.
    words: list[tuple[int, int]] = field(default_factory=list)

    def tokens(self) -> list[int]:
        return [IMAGE] * self.side**2 + [END_OF_IMAGE] + self.prompt + [TURN] + self.answer

    def prompt_positions(self) -> list[int]:
        start = self.side**2 + 1
        return list(range(start, start + len(self.prompt)))

    def answer_start(self) -> int:
        return len(self.tokens()) - len(self.answer)

    def logits(self) -> np.ndarray:
        """[positions, vocabulary], correlated over tokens as real ones are, partly below zero."""
        random = np.random.default_rng(self.seed)
        positions = len(self.tokens())
        shared = random.normal(1.0, 2.0, (positions, 1))
        logits = shared + random.normal(0.5, 2.0, (positions, VOCABULARY))
        if self.alike is not None:
            grid = logits[: self.side**2].reshape(self.side, self.side, VOCABULARY)
            grid[self.alike] = np.abs(grid[self.alike][:1, :1])
        return logits.astype(np.float32)


CASES = [
    Case("plain", 4, [3, 4, 5, 6], [7, 8, 9], seed=1),
    # 4 stands in the prompt and twice in the answer, 7 twice.
    Case("repeats", 5, [3, 4, 5], [7, 4, 8, 7, 4], seed=2),
    Case("alike", 6, [3, 4], [5, 6, 7], seed=3, alike=(slice(0, 4), slice(1, 6))),
    Case("words", 8, [3, 4, 5, 6, 7], [8, 9, 10, 11, 12, 13], seed=4, words=[(0, 1), (1, 4), (4, 6)]),
    # The first token of the answer has nothing before it.
    Case("bare", 3, [], [3, 4], seed=5),
]


def rank_gaussian(image: np.ndarray) -> np.ndarray:
    """3 × 3: the sorted window weighted by a Gaussian over ranks whose deviation is the coefficient of variation.

    Where all values are equal tam.py divides 0 by 0; here the mean stands.
    """
    out = np.zeros_like(image)
    padded = np.pad(image, 1, mode="reflect")
    ranks = np.arange(9) - 4
    for row, col in np.ndindex(image.shape):
        window = np.sort(padded[row : row + 3, col : col + 3], axis=None)
        mean = window.mean()
        if window[0] == window[-1]:
            out[row, col] = max(mean, 0)
        elif mean > 0:
            weights = np.exp(-(ranks**2) / (2 * (window.std() / mean) ** 2))
            out[row, col] = (window * weights).sum() / weights.sum()
    return out


def activation(case: Case, logits: np.ndarray, which: int, classes: list[int]) -> dict[str, np.ndarray]:
    """The maps of token `which` of prompt + answer; `classes` are the tokens that stand for each of these.

    A token of the prompt is read at its own position, one of the answer where it was predicted: one before.
    """
    text = case.prompt + case.answer
    start = case.answer_start()
    positions = case.prompt_positions() + list(range(start - 1, start - 1 + len(case.answer)))
    scores = np.maximum(logits, 0).astype(np.float64)
    image = slice(0, case.side**2)

    raw = scores[image, classes[which]]
    earlier = [i for i in range(which) if text[i] != text[which]]
    interference = np.zeros_like(raw)
    if earlier:
        weights = scores[[positions[i] for i in earlier], classes[which]]
        weights = weights / (weights.sum() + 1e-8)
        interference = weights @ np.stack([scores[image, classes[i]] for i in earlier])
    norm = interference @ interference
    scale = raw @ interference / norm if norm > 0 else 0.0
    denoised = np.maximum(raw - scale * interference, 0)

    said = scores[positions[:which], classes[which]]
    everything = np.concatenate([denoised, said])
    span = everything.max() - everything.min()
    normal = (denoised - everything.min()) / span if span > 0 else np.zeros_like(denoised)
    grid = normal.reshape(case.side, case.side)
    return {"raw": raw, "denoised": denoised, "normal": normal, "filtered": rank_gaussian(grid).reshape(-1)}


def golden(case: Case) -> dict[str, np.ndarray]:
    logits = case.logits()
    text = case.prompt + case.answer
    maps = [activation(case, logits, len(case.prompt) + k, text) for k in range(len(case.answer))]
    columns = sorted(set(text))
    out = {"logits": logits[:, columns]}
    for key in ["raw", "denoised", "normal", "filtered"]:
        out[key] = np.stack([token[key] for token in maps])
    for key in ["denoised", "filtered"] if case.words else []:
        out[f"words.{key}"] = np.stack([out[key][start:end].max(0) for start, end in case.words])
    return {f"{case.name}.{key}": np.ascontiguousarray(value, np.float32) for key, value in out.items()}


def compare(case: Case, tam) -> dict[str, float]:
    """The greatest differences from tam.py over the tokens of the answer.

    Two of its choices are followed here only: the first token of the prompt is stood for by the likeliest next one,
    and the first of the answer by the token before it (its comment says that the answer's is meant).
    """
    import torch

    logits = case.logits()
    tokens, start = case.tokens(), case.answer_start()
    classes = case.prompt + case.answer
    classes[len(case.prompt)] = TURN
    if case.prompt:
        classes[0] = int(logits[case.prompt_positions()[0]].argmax())

    rounds = [torch.tensor(logits[None, :start])]
    rounds += [torch.tensor(logits[None, [start + k]]) for k in range(len(case.answer) - 1)]
    decode = types.SimpleNamespace(tokenize=str.split)
    words = lambda ids, **_: [" ".join(str(int(i)) for i in row) for row in ids]
    processor = types.SimpleNamespace(tokenizer=decode, batch_decode=words)
    ids = {"img_id": [IMAGE], "prompt_id": [END_OF_IMAGE, TURN], "answer_id": [TURN, -1]}

    seen = []
    own = tam.rank_guassian_filter

    def recording(grid, size):
        seen.append((grid.reshape(-1), own(grid, size).reshape(-1)))
        return seen[-1][1].reshape(grid.shape)

    tam.rank_guassian_filter = recording
    picture = np.zeros((8, 8, 3), np.uint8)
    shape = (case.side, case.side)
    records = []
    with np.errstate(all="ignore"):
        for k in range(len(case.answer)):
            tam.TAM(tokens, shape, rounds, ids, picture, processor, "", k, records, True)
    tam.rank_guassian_filter = own

    off = {"normal": 0.0, "filtered": 0.0, "constant windows": 0}
    # The first round also gives the maps of the prompt.
    for k, (normal, filtered) in enumerate(seen[len(case.prompt) :]):
        mine = activation(case, logits, len(case.prompt) + k, classes)
        if not np.isfinite(normal).all():
            raise ValueError(f"{case.name}: tam.py gave a map that is not finite before its filter")
        off["normal"] = max(off["normal"], float(np.abs(normal - mine["normal"]).max()))
        there = np.isfinite(filtered)
        off["constant windows"] += int((~there).sum())
        off["filtered"] = max(off["filtered"], float(np.abs(filtered - mine["filtered"])[there].max()))
    return off


def load_tam(folder: Path):
    # Only its LaTeX pictures need PyMuPDF.
    sys.modules.setdefault("fitz", types.ModuleType("fitz"))
    sys.path.insert(0, str(folder))
    import tam

    return tam


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    args.add_argument("--out", type=Path, required=True)
    args.add_argument("--tam", type=Path, help="a checkout of xmed-lab/TAM to compare with")
    args = args.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    tensors, described = {}, []
    for case in CASES:
        tensors |= golden(case)
        described.append(
            {
                "name": case.name,
                "side": case.side,
                "tokens": case.tokens(),
                "prompt": case.prompt_positions(),
                "answer": [case.answer_start(), len(case.tokens())],
                "columns": sorted(set(case.prompt + case.answer)),
                "words": case.words,
            }
        )
    save_file(tensors, args.out / "tam.safetensors")
    (args.out / "tam.json").write_text(json.dumps(described, indent=1) + "\n")
    print(f"{len(CASES)} cases, {sum(t.nbytes for t in tensors.values())} bytes")
    if args.tam is not None:
        tam = load_tam(args.tam)
        for case in CASES:
            print(case.name, compare(case, tam))


if __name__ == "__main__":
    main()
