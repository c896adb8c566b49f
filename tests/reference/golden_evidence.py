"""Writes the golden evidence: what the label encoder and the colour terms say of the sample pictures, by
ONNX Runtime and Pillow, and sizes that pictures are resized to.

    python golden_evidence.py --encoder ../../models/label-encoder --samples ../../assets/samples --out ../golden/evidence
"""

import argparse
import colorsys
import json
import random
from collections import Counter
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image
from safetensors.numpy import save_file

# name, sample, width, height: small, of two aspects, so that a swapped width and height cannot hide.
PROBES = [("high", "cat", 96, 128), ("wide", "coffee", 160, 64)]
# The side of the square in which colours are counted.
SQUARE = 224


def input_size(spec: dict, width: int, height: int) -> tuple[int, int]:
    """The size that a picture is resized to: its aspect, within bounds, at the area of the encoder."""
    rules = spec["input"]
    least, greatest = rules["aspect"]
    aspect = min(greatest, max(least, width / height))
    sides = (rules["area"] * aspect) ** 0.5, (rules["area"] / aspect) ** 0.5
    step = rules["multiple"]
    return tuple(max(step, round(side / step) * step) for side in sides)


def run(session: onnxruntime.InferenceSession, spec: dict, picture: Image.Image) -> tuple[np.ndarray, np.ndarray]:
    """logits [rows] and maps [rows, height, width] of a picture that has the encoder's size."""
    rules = spec["input"]
    pixels = (np.asarray(picture, np.float32) - rules["mean"]) / rules["scale"]
    logits, maps = session.run(["logits", "maps"], {"pixels": pixels.transpose(2, 0, 1)[None]})
    return logits[0], maps[0]


def chances(spec: dict, logits: np.ndarray) -> list[tuple[str, float]]:
    """Every name with its chance, the likeliest first."""
    powers = np.exp(logits.astype(np.float64) - logits.max())
    sums = np.zeros(len(spec["groups"]))
    np.add.at(sums, spec["row_group"], powers / powers.sum())
    return [(spec["groups"][group]["name"], float(sums[group])) for group in np.argsort(-sums, kind="stable")]


def lists(spec: dict, ranked: list[tuple[str, float]]) -> tuple[str | None, list[str]]:
    """The name that is sure, and those that are possible."""
    sure = ranked[0][0] if ranked[0][1] >= spec["sure"] else None
    rest = ranked[1:] if sure else ranked
    return sure, [name for name, chance in rest[: spec["most"]] if chance >= spec["maybe"]]


def term(red: int, green: int, blue: int) -> str:
    """The colour term of a pixel. Rules in order; a value that lies within rounding of a bound may fall either way."""
    hue, saturation, value = colorsys.rgb_to_hsv(red / 255, green / 255, blue / 255)
    hue *= 360
    if value < 0.2:
        return "black"
    if saturation < 0.12 and value > 0.8:
        return "white"
    if saturation < 0.15:
        return "black" if value < 0.28 else "gray"
    if 15 <= hue < 60 and saturation < 0.38 and value > 0.65:
        return "beige"
    if 8 <= hue < 50 and value < 0.62:
        return "brown"
    if (hue < 15 or hue >= 330) and saturation < 0.5 and value > 0.72:
        return "pink"
    if hue < 14 or hue >= 345:
        return "red"
    bounds = [(42, "orange"), (68, "yellow"), (168, "green"), (258, "blue"), (295, "purple"), (345, "pink")]
    return next(name for bound, name in bounds if hue < bound)


def colours(picture: Image.Image) -> list[str]:
    """Up to two terms that cover a quarter each of the middle half, the larger first; else the largest."""
    border = SQUARE // 4
    square = picture.resize((SQUARE, SQUARE), Image.Resampling.LANCZOS)
    middle = square.crop((border, border, SQUARE - border, SQUARE - border))
    counts = Counter(term(*pixel) for pixel in np.asarray(middle).reshape(-1, 3).tolist()).most_common(2)
    enough = [name for name, count in counts if count * 4 >= middle.width * middle.height]
    return enough or [counts[0][0]]


def line(spec: dict, sure: str | None, perhaps: list[str], terms: list[str]) -> str:
    """What the language model is told."""
    kinds = {group["name"]: group["kind"] for group in spec["groups"]}

    def named(name: str) -> str:
        kind = kinds[name]
        return f"{name} ({kind})" if kind and kind.lower() not in name.lower() else name

    parts = [("Seen", named(sure) if sure else ""), ("Perhaps", ", ".join(map(named, perhaps)))]
    parts.append(("Colours", ", ".join(terms)))
    return "[" + " ".join(f"{head}: {said}." for head, said in parts if said) + "]\n"


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    args.add_argument("--encoder", type=Path, required=True)
    args.add_argument("--samples", type=Path, required=True)
    args.add_argument("--out", type=Path, required=True)
    args = args.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    spec = json.loads((args.encoder / "labels.json").read_text())
    session = onnxruntime.InferenceSession(args.encoder / "labels.onnx")

    tensors = {}
    for name, sample, width, height in PROBES:
        picture = Image.open(args.samples / f"{sample}.jpg").convert("RGB")
        picture = picture.resize((width, height), Image.Resampling.BICUBIC)
        picture.save(args.out / f"{name}.{sample}.png", optimize=True)
        logits, maps = run(session, spec, picture)
        tensors |= {f"{name}.logits": logits, f"{name}.map": maps[logits.argmax()].copy()}
    save_file(tensors, args.out / "expected.safetensors")

    dice = random.Random(14)
    sizes = [(288, 288), (1, 1), (4000, 10), (10, 4000), (361, 324), (640, 480)]
    sizes += [(dice.randint(1, 4000), dice.randint(1, 4000)) for _ in range(60)]
    sizes = [[width, height, *input_size(spec, width, height)] for width, height in sizes]
    pictures = []
    for file in sorted(args.samples.glob("*.jpg")):
        picture = Image.open(file).convert("RGB")
        resized = picture.resize(input_size(spec, *picture.size), Image.Resampling.BICUBIC)
        ranked = chances(spec, run(session, spec, resized)[0])
        sure, perhaps = lists(spec, ranked)
        terms = colours(picture)
        best = [[name, round(chance, 4)] for name, chance in ranked[:6]]
        said = line(spec, sure, perhaps, terms)
        pictures.append({"image": file.name, "best": best, "sure": sure, "perhaps": perhaps, "colours": terms, "line": said})
    rows = lambda values: "[\n  " + ",\n  ".join(json.dumps(value, ensure_ascii=False) for value in values) + "\n]"
    (args.out / "expected.json").write_text('{"sizes": ' + rows(sizes) + ', "pictures": ' + rows(pictures) + "}\n")


if __name__ == "__main__":
    main()
