#!/usr/bin/env python3
"""Packs a checkpoint for shipping: splits its GGUF container and writes manifest.json.

usage: pack.py CHECKPOINT_DIR TARGET_DIR --name NAME --revision REVISION --licence TEXT

CHECKPOINT_DIR holds model.q8_0.gguf and the JSON files of Hugging Face's layout.
Needs numpy and gguf (PyPI). The weights are dequantised here a second time, independently of the
application, so that the hashes in the manifest check its unpacking too.
"""

import argparse
import hashlib
import json
import struct
from pathlib import Path

import numpy
from gguf import GGUFReader
from gguf.quants import dequantize

PART_BYTES = 84_000_000
BLOCK_BYTES = 32 << 20
COPIED = [
    "config.json",
    "generation_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
]


def part(path: Path) -> dict:
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return {"file": path.name, "bytes": len(content), "sha256": digest}


def unpacked_blocks(container: Path) -> tuple[int, list[str]]:
    """Size and block hashes of the safetensors file, tensors in f32 in the order of their names."""
    tensors = sorted(GGUFReader(container).tensors, key=lambda tensor: tensor.name)
    header, end = {}, 0
    for tensor in tensors:
        # GGUF counts dimensions from the fastest one.
        shape = [int(size) for size in reversed(tensor.shape)]
        start, end = end, end + 4 * int(numpy.prod(shape))
        header[tensor.name] = {"dtype": "F32", "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    blocks, pending, total = [], struct.pack("<Q", len(text)) + text, 0
    for tensor in tensors:
        pending += dequantize(tensor.data, tensor.tensor_type).astype("<f4").tobytes()
        while len(pending) >= BLOCK_BYTES:
            blocks.append(hashlib.sha256(pending[:BLOCK_BYTES]).hexdigest())
            total += BLOCK_BYTES
            pending = pending[BLOCK_BYTES:]
    if pending:
        blocks.append(hashlib.sha256(pending).hexdigest())
    return total + len(pending), blocks


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("checkpoint", type=Path)
    arguments.add_argument("target", type=Path)
    for name in ["--name", "--revision", "--licence"]:
        arguments.add_argument(name, required=True)
    given = arguments.parse_args()

    given.target.mkdir(parents=True, exist_ok=True)
    container = given.checkpoint / "model.q8_0.gguf"
    content = container.read_bytes()
    weights = []
    for index, start in enumerate(range(0, len(content), PART_BYTES)):
        piece = given.target / f"{container.name}.{index + 1}"
        piece.write_bytes(content[start : start + PART_BYTES])
        weights.append(part(piece))
    files = []
    for name in COPIED:
        copy = given.target / name
        copy.write_bytes((given.checkpoint / name).read_bytes())
        files.append(part(copy))
    size, blocks = unpacked_blocks(container)
    manifest = {
        "name": given.name,
        "revision": given.revision,
        "licence": given.licence,
        "files": files,
        "weights": weights,
        "unpacked": {
            "file": "model.safetensors",
            "bytes": size,
            "block_bytes": BLOCK_BYTES,
            "sha256_blocks": blocks,
        },
    }
    (given.target / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")


if __name__ == "__main__":
    main()
