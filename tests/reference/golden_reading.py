"""What RapidOCR reads in the samples with the shipped reader's weights, one JSON object a picture.

    python golden_reading.py --reader ../../models/reader --samples ../../assets/samples --out ../golden/reading
"""

import argparse
import json
from pathlib import Path

import numpy
from PIL import Image, ImageOps
from rapidocr import RapidOCR
from rapidocr.utils.typings import LangDet, LangRec, ModelType, OCRVersion


def reader(folder: Path) -> RapidOCR:
    return RapidOCR(params={
        "Global.use_cls": False, "Global.log_level": "warning",
        "EngineConfig.onnxruntime.intra_op_num_threads": 1, "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        # The sizes of the model decide only what would be downloaded; the files are named below.
        "Det.ocr_version": OCRVersion.PPOCRV6, "Rec.ocr_version": OCRVersion.PPOCRV6,
        "Det.model_type": ModelType.TINY, "Rec.model_type": ModelType.TINY,
        "Det.lang_type": LangDet.CH, "Rec.lang_type": LangRec.EN,
        "Det.mean": [0.485, 0.456, 0.406], "Det.std": [0.229, 0.224, 0.225],
        "Det.limit_side_len": 960, "Det.limit_type": "max", "Det.thresh": 0.2, "Det.box_thresh": 0.4,
        "Det.unclip_ratio": 1.4, "Det.max_candidates": 3000, "Det.use_dilation": False,
        "Rec.rec_batch_num": 1, "Rec.rec_img_shape": [3, 48, 320],
        "Det.model_path": str(folder / "detection.onnx"), "Rec.model_path": str(folder / "recognition.onnx"),
    })


def upright(file: Path) -> numpy.ndarray:
    picture = ImageOps.exif_transpose(Image.open(file)).convert("RGBA")
    paper = Image.new("RGBA", picture.size, "white")
    return numpy.array(Image.alpha_composite(paper, picture).convert("RGB"))


def main() -> None:
    arguments = argparse.ArgumentParser()
    for name in ("--reader", "--samples", "--out"):
        arguments.add_argument(name, type=Path, required=True)
    arguments = arguments.parse_args()
    engine = reader(arguments.reader.resolve())
    arguments.out.mkdir(parents=True, exist_ok=True)
    with open(arguments.out / "expected.jsonl", "w", encoding="utf-8", newline="\n") as out:
        for file in sorted(arguments.samples.glob("*.jpg")):
            read = engine(upright(file)[:, :, ::-1], use_det=True, use_cls=False, use_rec=True)
            lines = [] if read.boxes is None else [
                {"text": text, "score": round(float(score), 4), "corners": [[float(x), float(y)] for x, y in box]}
                for text, score, box in zip(read.txts, read.scores, read.boxes)
            ]
            print(json.dumps({"image": file.name, "lines": lines}, ensure_ascii=False), file=out)


if __name__ == "__main__":
    main()
