#!/usr/bin/env python3
"""Packs a checkpoint, or an adapter of one, for shipping: copies its files, writes manifest.json.

usage: pack.py whole   CHECKPOINT_DIR TARGET_DIR REVISION [--name NAME]
       pack.py adapter ADAPTER_DIR    TARGET_DIR REVISION

CHECKPOINT_DIR holds model.q8_0.gguf, which is split, and the JSON files of Hugging Face's layout.
ADAPTER_DIR holds adapter.safetensors and the JSON files that it changes; everything else is that of
the manifest's first revision. What both bring goes to TARGET_DIR/revision-REVISION, but for a
manifest's first revision, which lies in TARGET_DIR itself.

The manifest's other revisions stay as they are, and so does what is written there by hand: a
revision's card, but for its sizes, and which one is the default.
Needs numpy and gguf (PyPI). The weights are dequantised and merged here a second time,
independently of the application, so that the hashes in the manifest check its unpacking too.
"""

import argparse
import hashlib
import json
import struct
import tempfile
from pathlib import Path

import numpy
from gguf import GGUFReader
from gguf.quants import dequantize

PART_BYTES = 84_000_000
BLOCK_BYTES = 32 << 20
ADAPTER = "adapter.safetensors"
PROJECTOR = "model.connector.modality_projection.proj.weight"
COPIED = [
    "config.json",
    "generation_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
]


def part(target: Path, path: Path) -> dict:
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return {"file": path.relative_to(target).as_posix(), "bytes": len(content), "sha256": digest}


def read_adapter(path: Path) -> dict[str, numpy.ndarray]:
    """The tensors of a safetensors file that holds nothing but f16."""
    content = path.read_bytes()
    start = 8 + struct.unpack("<Q", content[:8])[0]
    tensors = {}
    for name, about in json.loads(content[8:start]).items():
        if name != "__metadata__":
            assert about["dtype"] == "F16", name
            begin, end = (start + offset for offset in about["data_offsets"])
            tensors[name] = numpy.frombuffer(content[begin:end], "<f2").reshape(about["shape"])
    return tensors


def merge(name: str, weights: numpy.ndarray, adapter: dict) -> numpy.ndarray:
    """The projector is replaced, an adapted matrix W becomes W + B·A.

    The sum begins with W and takes the ranks in their order, in f64, where a product of two f16 is
    exact: whether it is fused with its addition makes no difference. It is rounded once, to f32.
    """
    if name == PROJECTOR and "projector" in adapter:
        return adapter["projector"].astype("<f4")
    key = name.removeprefix("model.text_model.").removesuffix(".weight")
    if key + ".A" not in adapter:
        return weights
    a, b = (adapter[f"{key}.{side}"].astype(numpy.float64) for side in "AB")
    total = weights.astype(numpy.float64)
    for rank in range(a.shape[0]):
        total += b[:, rank : rank + 1] * a[rank : rank + 1, :]
    return total.astype("<f4")


def unpacked_blocks(container: Path, adapter: dict) -> tuple[int, int, list[str]]:
    """Parameters, size and block hashes of the safetensors file, tensors in f32 by their names."""
    tensors = sorted(GGUFReader(container).tensors, key=lambda tensor: tensor.name)
    header, end = {}, 0
    for tensor in tensors:
        # GGUF counts dimensions from the fastest one.
        shape = [int(size) for size in reversed(tensor.shape)]
        if tensor.name == PROJECTOR and "projector" in adapter:
            shape = list(adapter["projector"].shape)
        start, end = end, end + 4 * int(numpy.prod(shape))
        header[tensor.name] = {"dtype": "F32", "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    blocks, pending, total = [], struct.pack("<Q", len(text)) + text, 0
    for tensor in tensors:
        values = dequantize(tensor.data, tensor.tensor_type).astype("<f4")
        pending += merge(tensor.name, values, adapter).tobytes()
        while len(pending) >= BLOCK_BYTES:
            blocks.append(hashlib.sha256(pending[:BLOCK_BYTES]).hexdigest())
            total += BLOCK_BYTES
            pending = pending[BLOCK_BYTES:]
    if pending:
        blocks.append(hashlib.sha256(pending).hexdigest())
    return end // 4, total + len(pending), blocks


def copy(source: Path, target: Path, home: Path) -> dict:
    home.mkdir(parents=True, exist_ok=True)
    (home / source.name).write_bytes(source.read_bytes())
    return part(target, home / source.name)


def split(container: Path, target: Path, home: Path) -> list[dict]:
    home.mkdir(parents=True, exist_ok=True)
    content, parts = container.read_bytes(), []
    for index, start in enumerate(range(0, len(content), PART_BYTES)):
        piece = home / f"{container.name}.{index + 1}"
        piece.write_bytes(content[start : start + PART_BYTES])
        parts.append(part(target, piece))
    return parts


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("kind", choices=["whole", "adapter"])
    arguments.add_argument("source", type=Path)
    arguments.add_argument("target", type=Path)
    arguments.add_argument("revision")
    arguments.add_argument("--name", help="the model's name, where the manifest is new")
    given = arguments.parse_args()

    file = given.target / "manifest.json"
    if file.exists():
        manifest = json.loads(file.read_text())
    elif given.name and given.kind == "whole":
        manifest = {"name": given.name, "default": given.revision, "revisions": []}
    else:
        raise SystemExit(f"{file} is not there: pack a whole checkpoint first, with --name")
    revisions = manifest["revisions"]
    known = next((one for one in revisions if one["revision"] == given.revision), None)
    is_first = not revisions or known is revisions[0]
    home = given.target if is_first else given.target / f"revision-{given.revision}"

    entry = {"revision": given.revision, "card": known["card"] if known else None}
    adapter = {}
    if given.kind == "whole":
        entry["files"] = [copy(given.source / name, given.target, home) for name in COPIED]
        entry["weights"] = split(given.source / "model.q8_0.gguf", given.target, home)
    else:
        base = revisions[0]
        changed = [name for name in COPIED if (given.source / name).exists()]
        entry["files"] = [
            copy(given.source / Path(one["file"]).name, given.target, home)
            if Path(one["file"]).name in changed
            else one
            for one in base["files"]
        ]
        entry["weights"] = base["weights"]
        entry["adapter"] = copy(given.source / ADAPTER, given.target, home)
        adapter = read_adapter(given.source / ADAPTER)
    with tempfile.TemporaryDirectory() as folder:
        # GGUFReader maps one file, so the parts are joined first.
        container = Path(folder) / "model.gguf"
        with container.open("wb") as out:
            for one in entry["weights"]:
                out.write((given.target / one["file"]).read_bytes())
        parameters, size, blocks = unpacked_blocks(container, adapter)
    entry["unpacked"] = {
        "file": "model.safetensors",
        "bytes": size,
        "block_bytes": BLOCK_BYTES,
        "sha256_blocks": blocks,
    }
    if entry["card"]:
        shipped = entry["files"] + entry["weights"] + [entry[k] for k in ["adapter"] if k in entry]
        entry["card"]["sizes"] = {
            "parameters": parameters,
            "shipped": sum(one["bytes"] for one in shipped),
            "unpacked": size,
        }
    if known:
        revisions[revisions.index(known)] = entry
    else:
        revisions.append(entry)
    file.write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
