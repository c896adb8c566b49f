"""Loads the default checkpoint into transformers and makes the very inputs mistral.rs makes from a chat.

Everything here is f32 on the CPU: the Q8_0 matrices are dequantised exactly, so the only difference left
between this reference and the app is the order in which floats are added.
"""

import hashlib
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from gguf import GGUFReader
from gguf.quants import dequantize
from jinja2.sandbox import ImmutableSandboxedEnvironment
from PIL import Image
from tokenizers import Tokenizer
from transformers import Idefics3Config, Idefics3ForConditionalGeneration

WEIGHTS = "model.q8_0.gguf"
IMAGE, FAKE, GLOBAL = "<image>", "<fake_token_around_image>", "<global-img>"


def weight_files(model_dir: Path) -> list[Path]:
    """The whole GGUF, or else its parts in name order."""
    whole = model_dir / WEIGHTS
    files = [whole] if whole.exists() else sorted(model_dir.glob(WEIGHTS + ".*"))
    if not files:
        raise FileNotFoundError(f"neither {WEIGHTS} nor {WEIGHTS}.* in {model_dir}")
    return files


def weights_sha256(model_dir: Path) -> str:
    digest = hashlib.sha256()
    for file in weight_files(model_dir):
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def read_tensors(gguf: Path) -> dict[str, torch.Tensor]:
    # astype copies, so no tensor keeps the file mapped.
    return {
        t.name: torch.from_numpy(dequantize(t.data, t.tensor_type).astype(np.float32, copy=True))
        for t in GGUFReader(gguf).tensors
    }


def load_tensors(model_dir: Path) -> dict[str, torch.Tensor]:
    files = weight_files(model_dir)
    if len(files) == 1:
        return read_tensors(files[0])
    # GGUFReader maps one file, so parts are joined first.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        joined = Path(folder) / WEIGHTS
        with joined.open("wb") as out:
            for part in files:
                out.write(part.read_bytes())
        return read_tensors(joined)


def load_config(model_dir: Path) -> Idefics3Config:
    raw = json.loads((model_dir / "config.json").read_text())
    # mistral.rs reads tying from text_config alone; transformers ties by the outer field, default false.
    raw["tie_word_embeddings"] = raw["text_config"]["tie_word_embeddings"]
    config = Idefics3Config(**raw)
    # transformers falls back to its own defaults in silence where a field is absent; mistral.rs refuses.
    expected = {
        "image_token_id": (config.image_token_id, raw["image_token_id"]),
        "scale_factor": (config.scale_factor, raw["scale_factor"]),
        "hidden_act": (config.vision_config.hidden_act, raw["vision_config"]["hidden_act"]),
        "layer_norm_eps": (config.vision_config.layer_norm_eps, raw["vision_config"]["layer_norm_eps"]),
        "rms_norm_eps": (config.text_config.rms_norm_eps, raw["text_config"]["rms_norm_eps"]),
        "rope_theta": (config.text_config.rope_parameters["rope_theta"], raw["text_config"]["rope_theta"]),
    }
    for name, (seen, wanted) in expected.items():
        if seen != wanted:
            raise ValueError(f"config: {name} became {seen}, the checkpoint says {wanted}")
    return config


@dataclass
class Inputs:
    prompt: str  # as the chat template makes it, one <image> a picture
    tokens: list[int]  # with <image> expanded
    pixels: torch.Tensor  # [1, pictures, 3, 224, 224]

    def for_model(self) -> dict[str, torch.Tensor]:
        ids = torch.tensor([self.tokens])
        pictures, _, height, width = self.pixels.shape[1:]
        return {
            "input_ids": ids,
            "attention_mask": torch.ones_like(ids),
            "pixel_values": self.pixels,
            # Pictures fill the whole square, so nothing is padding.
            "pixel_attention_mask": torch.ones(1, pictures, height, width, dtype=torch.bool),
        }


class Checkpoint:
    def __init__(self, model_dir: Path, attention: str = "eager"):
        model_dir = Path(model_dir)
        self.config = load_config(model_dir)
        self.config._attn_implementation = attention
        self.model = self._build(load_tensors(model_dir))

        # Straight from tokenizer.json, as mistral.rs does: the class named in tokenizer_config.json
        # would rebuild the pre-tokenizer and could split numbers differently.
        self.tokenizer = Tokenizer.from_file(str(model_dir / "tokenizer.json"))
        settings = json.loads((model_dir / "tokenizer_config.json").read_text())
        jinja = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        self.template = jinja.from_string(settings["chat_template"])

        self.end_token = self.tokenizer.token_to_id(settings["eos_token"])
        self.image_seq_len = json.loads((model_dir / "processor_config.json").read_text())["image_seq_len"]
        pre = json.loads((model_dir / "preprocessor_config.json").read_text())
        self.side = pre["max_image_size"]["longest_edge"]
        self.rescale = np.float32(pre["rescale_factor"])
        self.mean = np.array(pre["image_mean"], np.float32)
        self.std = np.array(pre["image_std"], np.float32)

    def _build(self, tensors: dict[str, torch.Tensor]) -> Idefics3ForConditionalGeneration:
        # Built without weights: random values would only be thrown away.
        with torch.device("meta"):
            model = Idefics3ForConditionalGeneration(self.config)
        result = model.load_state_dict(tensors, strict=False, assign=True)
        if result.missing_keys != ["lm_head.weight"] or result.unexpected_keys:
            raise ValueError(f"missing {result.missing_keys}, unexpected {result.unexpected_keys}")
        model.tie_weights()
        # Rotary frequencies are computed, not stored, so they have to be made again off "meta".
        text = model.model.text_model
        text.rotary_emb = type(text.rotary_emb)(config=self.config.text_config)
        left = [n for n, t in [*model.named_parameters(), *model.named_buffers()] if t.is_meta]
        if left or model.lm_head.weight is not text.embed_tokens.weight:
            raise ValueError(f"not loaded: {left or 'lm_head'}")
        return model.eval().requires_grad_(False)

    def resize(self, picture: Image.Image) -> Image.Image:
        """Squashed to the square: training did not keep the aspect ratio either."""
        return picture.convert("RGB").resize((self.side, self.side), Image.Resampling.LANCZOS)

    def normalise(self, picture: Image.Image) -> np.ndarray:
        if picture.size != (self.side, self.side):
            raise ValueError(f"picture is {picture.size}, not {self.side} square")
        pixels = np.asarray(picture.convert("RGB")).astype(np.float32)
        return ((pixels * self.rescale - self.mean) / self.std).transpose(2, 0, 1)

    def inputs(self, turns: list[tuple[str, str]], pictures: list[Image.Image]) -> Inputs:
        """`turns` are (role, text); the pictures belong to the first of them."""
        messages = [{"role": role, "content": text} for role, text in turns]
        parts = [{"type": "image"}] * len(pictures) + [{"type": "text", "text": turns[0][1]}]
        messages[0]["content"] = parts
        prompt = self.template.render(messages=messages, add_generation_prompt=True)
        expanded = prompt.replace(IMAGE, FAKE + GLOBAL + IMAGE * self.image_seq_len + FAKE)
        tokens = self.tokenizer.encode(expanded, add_special_tokens=False).ids
        # mistral.rs decodes and encodes the prompt once more, which is harmless only if nothing is lost.
        if self.tokenizer.decode(tokens, skip_special_tokens=False) != expanded:
            raise ValueError("the tokenizer does not give the prompt back")
        pixels = torch.from_numpy(np.stack([self.normalise(p) for p in pictures]))[None]
        return Inputs(prompt, tokens, pixels)

    def text(self, tokens: list[int]) -> str:
        return self.tokenizer.decode(tokens, skip_special_tokens=True)
