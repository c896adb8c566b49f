"""The reader's weights as they are shipped: those of PP-OCRv6 small with the tiniest set to 0.

    python reader_weights.py DETECTION.onnx RECOGNITION.onnx --out ../../models/reader

A quarter of a million weights of the detection network are below 1e-37, where a processor computes
a hundred times as slowly (denormal numbers). What they add is far below what a float can hold.
"""

import argparse
from pathlib import Path

import numpy
import onnx
from onnx import numpy_helper

TINY = 1e-20


def main() -> None:
    arguments = argparse.ArgumentParser()
    for name in ("detection", "recognition"):
        arguments.add_argument(name, type=Path)
    arguments.add_argument("--out", type=Path, required=True)
    arguments = arguments.parse_args()
    for name in ("detection", "recognition"):
        model, changed = onnx.load(getattr(arguments, name)), 0
        for tensor in model.graph.initializer:
            values = numpy_helper.to_array(tensor)
            if values.dtype != numpy.float32:
                continue
            tiny = (values != 0) & (abs(values) < TINY)
            if tiny.any():
                changed += int(tiny.sum())
                tensor.CopyFrom(numpy_helper.from_array(numpy.where(tiny, numpy.float32(0), values), tensor.name))
        note = model.metadata_props.add()
        note.key, note.value = "changed", f"for Lorgnette: {changed} weights below {TINY} set to 0"
        onnx.save(model, arguments.out / f"{name}.onnx")
        print(name, note.value)


if __name__ == "__main__":
    main()
