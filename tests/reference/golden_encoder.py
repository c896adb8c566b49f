"""Writes the goldens of the vision towers: tiny random checkpoints with what transformers computes of them,
and what it computes of the default checkpoint.

    python golden_encoder.py --model ../../models/lorgnette-tiny --pictures ../golden/answers --out ../golden/encoder
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPModel, Idefics3Config, SiglipConfig, SiglipModel
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.idefics3.modeling_idefics3 import Idefics3Connector, Idefics3VisionTransformer
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from checkpoint import Checkpoint

# 4 x 4 patches; SigLIP's picture is two pixels wider than its patches, which its convolution leaves out.
TOWER = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_channels": 3,
    "patch_size": 7,
}
# The text towers are not looked at here.
TEXT = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "vocab_size": 8,
    "max_position_embeddings": 4,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 1,
}
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def picture(generator: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Colours that change slowly, with noise: [height, width, 3], u8."""
    coarse = Image.fromarray(generator.integers(0, 256, (5, 4, 3), np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)).astype(np.int64)
    return np.clip(smooth + generator.integers(-20, 21, smooth.shape), 0, 255).astype(np.uint8)


def randomise(module: torch.nn.Module, seed: int) -> None:
    """Every parameter gets a say: no norm is 1, no bias 0, and queries and keys are large enough to prefer."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in sorted(module.named_parameters()):
        noise = torch.randn(parameter.shape, generator=generator)
        if "norm" in name and name.endswith("weight"):
            parameter.data = 1 + 0.2 * noise
        elif "embedding" in name or "probe" in name or parameter.ndim == 1:
            parameter.data = 0.3 * noise
        else:
            fan_in = parameter[0].numel()
            parameter.data = noise / fan_in**0.5
        if any(part in name for part in ("q_proj.weight", "k_proj.weight", "in_proj_weight")):
            parameter.data *= 2


def rollout(start: torch.Tensor, attentions: list[torch.Tensor]) -> torch.Tensor:
    """Abnar & Zuidema 2020, the whole product of the layers' matrices, in f64."""
    tokens = attentions[0].shape[-1]
    joint = torch.eye(tokens, dtype=torch.float64)
    for heads in attentions:
        layer = heads.double().mean(0) + torch.eye(tokens, dtype=torch.float64)
        joint = (layer / layer.sum(-1, keepdim=True)) @ joint
    assert (joint.sum(-1) - 1).abs().max() < 1e-12
    return start.double() @ joint


def maps(attentions: list[torch.Tensor], class_tokens: int, start: torch.Tensor | None = None) -> dict:
    """The rollout's shares of the patches, and what each receives by layer and head, averaged over the queries."""
    tokens = attentions[0].shape[-1]
    if start is None:
        start = torch.eye(tokens)[0] if class_tokens else torch.full((tokens,), 1 / tokens)
    return {
        "rollout": rollout(start, attentions)[class_tokens:].float(),
        "received": torch.stack([heads.mean(1)[:, class_tokens:] for heads in attentions]),
    }


class Spy:
    """Keeps what the layers of a tower and their attention give."""

    def __init__(self, layers: torch.nn.ModuleList):
        self.states, self.attentions = [], []
        layers[0].register_forward_pre_hook(
            lambda module, args, kwargs: self.states.append((args or list(kwargs.values()))[0][0]), with_kwargs=True
        )
        for layer in layers:
            layer.register_forward_hook(
                lambda module, args, out: self.states.append((out[0] if isinstance(out, tuple) else out)[0])
            )
            layer.self_attn.register_forward_hook(lambda module, args, out: self.attentions.append(out[1][0]))


def normalise(pixels: np.ndarray) -> torch.Tensor:
    values = (pixels.astype(np.float32) * np.float32(1 / 255) - np.float32(MEAN)) / np.float32(STD)
    return torch.from_numpy(values.transpose(2, 0, 1))[None]


def write(out: Path, config: dict, preprocessor: dict, weights: dict, expected: dict) -> None:
    out.mkdir(parents=True, exist_ok=True)
    (out / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    (out / "preprocessor_config.json").write_text(json.dumps(preprocessor, indent=1) + "\n")
    for name, tensors in (("model", weights), ("expected", expected)):
        save_file({key: value.contiguous().clone() for key, value in tensors.items()}, out / f"{name}.safetensors")
    attention = expected["received"]
    print(f"{out.name}: patches receive {attention.min():.3f} to {attention.max():.3f}")


def idefics3(out: Path) -> None:
    raw = {
        "model_type": "idefics3",
        "scale_factor": 2,
        "image_token_id": 3,
        "vision_config": {**TOWER, "image_size": 28, "hidden_act": "gelu_pytorch_tanh", "layer_norm_eps": 1e-6},
        "text_config": {"model_type": "llama", **TEXT, "hidden_size": 24},
    }
    config = Idefics3Config(**raw)
    config.vision_config._attn_implementation = "eager"
    tower, connector = Idefics3VisionTransformer(config.vision_config).eval(), Idefics3Connector(config).eval()
    randomise(tower, 1)
    randomise(connector, 2)
    pixels = picture(np.random.default_rng(1), 28, 28)
    spy = Spy(tower.encoder.layers)
    last = tower(normalise(pixels)).last_hidden_state
    weights = {f"model.vision_model.{name}": value for name, value in tower.state_dict().items()}
    weights |= {f"model.connector.{name}": value for name, value in connector.state_dict().items()}
    expected = {
        "picture": torch.from_numpy(pixels),
        "states": torch.stack(spy.states),
        "last": last[0],
        "features": connector(last)[0],
        **maps(spy.attentions, 0),
    }
    preprocessor = {"do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True}
    write(out / "idefics3", raw, {**preprocessor, "image_mean": MEAN, "image_std": STD}, weights, expected)


def siglip(out: Path) -> None:
    raw = {
        "model_type": "siglip",
        "vision_config": {**TOWER, "image_size": 30, "hidden_act": "gelu", "layer_norm_eps": 1e-6},
        "text_config": TEXT,
    }
    model = SiglipModel(SiglipConfig(**raw)).eval()
    model.set_attn_implementation("eager")
    tower = model.vision_model
    randomise(tower, 3)
    processor = SiglipImageProcessorPil(size={"height": 30, "width": 30}, resample=3)
    pixels = picture(np.random.default_rng(2), 30, 30)
    large = picture(np.random.default_rng(3), 71, 52)
    spy = Spy(tower.encoder.layers)
    output = tower(processor(Image.fromarray(pixels), return_tensors="pt")["pixel_values"])
    last, head = output.last_hidden_state, tower.head
    probe = head.attention(head.probe, last, last, average_attn_weights=False)[1][0]
    expected = {
        "picture": torch.from_numpy(pixels),
        "states": torch.stack(spy.states),
        "last": last[0],
        "features": output.pooler_output,
        "probe": probe[:, 0],
        "large": torch.from_numpy(large),
        "large_pixels": processor(Image.fromarray(large), return_tensors="pt")["pixel_values"][0],
        **maps(spy.attentions, 0, probe.double().mean(0)[0]),
    }
    preprocessor = {
        "image_processor_type": "SiglipImageProcessor",
        "do_resize": True,
        "size": {"height": 30, "width": 30},
        "resample": 3,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    }
    weights = {f"vision_model.{name}": value for name, value in tower.state_dict().items()}
    write(out / "siglip", raw, preprocessor, weights, expected)


def clip(out: Path) -> None:
    raw = {
        "model_type": "clip",
        "projection_dim": 12,
        "vision_config": {**TOWER, "image_size": 28},
        "text_config": TEXT,
    }
    model = CLIPModel(CLIPConfig(**raw)).eval()
    model.set_attn_implementation("eager")
    tower = model.vision_model
    randomise(tower, 4)
    randomise(model.visual_projection, 5)
    processor = CLIPImageProcessorPil(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28})
    pixels = picture(np.random.default_rng(4), 28, 28)
    large = picture(np.random.default_rng(5), 75, 50)
    spy = Spy(tower.encoder.layers)
    output = tower(processor(Image.fromarray(pixels), return_tensors="pt")["pixel_values"])
    weights = {f"vision_model.{name}": value for name, value in tower.state_dict().items()}
    weights["visual_projection.weight"] = model.visual_projection.weight.data
    expected = {
        "picture": torch.from_numpy(pixels),
        "states": torch.stack(spy.states),
        "last": tower.post_layernorm(output.last_hidden_state)[0],
        "features": model.visual_projection(output.pooler_output),
        "large": torch.from_numpy(large),
        "large_pixels": processor(Image.fromarray(large), return_tensors="pt")["pixel_values"][0],
        **maps(spy.attentions, 1),
    }
    # As published ones are: sizes as bare numbers, defaults left out.
    preprocessor = {"do_resize": True, "size": 28, "resample": 3, "do_center_crop": True, "crop_size": 28}
    write(out / "clip", raw, preprocessor, weights, expected)


def shipped(model: Path, pictures: Path, out: Path) -> None:
    checkpoint = Checkpoint(model)
    vision, connector = checkpoint.model.model.vision_model, checkpoint.model.model.connector
    vision.set_attn_implementation("eager")
    spy = Spy(vision.encoder.layers)
    png = Image.open(pictures / "cat.png").convert("RGB")
    last = vision(torch.from_numpy(checkpoint.normalise(png))[None]).last_hidden_state
    found = maps(spy.attentions, 0)
    # Some of the rows: all of them would be ten times as many bytes.
    expected = {
        "states": torch.stack(spy.states)[:, 100],
        "last": last[0, ::32],
        "features": connector(last)[0, ::8],
        "rollout": found["rollout"],
        "received": found["received"][:, 0],
    }
    out.mkdir(parents=True, exist_ok=True)
    save_file({key: value.contiguous().clone() for key, value in expected.items()}, out / "shipped.safetensors")
    print(f"shipped: rollout {expected['rollout'].min():.5f} to {expected['rollout'].max():.5f} of 256 patches")


@torch.inference_mode()
def main() -> None:
    args = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    args.add_argument("--model", type=Path, required=True)
    args.add_argument("--pictures", type=Path, required=True, help="where golden_answers.py left cat.png")
    args.add_argument("--out", type=Path, required=True)
    args = args.parse_args()
    torch.set_num_threads(2)
    idefics3(args.out)
    siglip(args.out)
    clip(args.out)
    shipped(args.model, args.pictures, args.out)


if __name__ == "__main__":
    main()
