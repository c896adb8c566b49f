"""Writes the golden pictures of the resizer: crops of the samples, and what Pillow's Lanczos makes of them.

    python golden_resize.py --samples ../../assets/samples --out ../golden/resize
"""

import argparse
from pathlib import Path

from PIL import Image

SIDE = 224
# name, sample, crop (left, top, right, bottom)
CASES = [
    # Both axes shrink: the kernel has to widen, or thin lines alias.
    ("shrunk", "rocket", (140, 27, 540, 427)),
    # Both axes grow, from few pixels: the edges and the overshoot of the kernel show.
    ("enlarged", "cat", (120, 70, 160, 100)),
    # One axis shrinks while the other grows, so a swapped width and height cannot hide.
    ("wide", "coffee", (150, 120, 470, 220)),
]


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    args.add_argument("--samples", type=Path, required=True)
    args.add_argument("--out", type=Path, required=True)
    args = args.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for name, sample, crop in CASES:
        picture = Image.open(args.samples / f"{sample}.jpg").convert("RGB").crop(crop)
        picture.save(args.out / f"{name}.in.png", optimize=True)
        picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS).save(args.out / f"{name}.out.png", optimize=True)
        print(name, picture.size, "->", (SIDE, SIDE))


if __name__ == "__main__":
    main()
