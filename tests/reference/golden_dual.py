"""Writes the golden dual encoders: tiny random CLIP and SigLIP folders, and what transformers and the
papers' methods make of one picture and a few phrases.

    python golden_dual.py --out ../golden/dual
"""

import argparse
import json
import math
import string
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer, PreTrainedTokenizerFast, SiglipConfig, SiglipModel
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

SEED = 20
TEMPLATES = ["a photo of a {}.", "a photo of the {}.", "a close-up photo of a {}.", "there is a {} in the scene."]
LABELS = ["cat", "lemon", "red rocket", "cup of coffee"]
PHRASES = [
    "a photo of a cat.",
    "The RED rocket,  on\tits pad!",
    "Crème brûlée - 2 cups",
    "a cup of coffee and a lemon and a rocket and a cat and a dahlia and the shirt of the cat " * 2,
    "",
]
# Where the tokenizers' pieces come from.
CORPUS = ["a photo of a cat", "the red rocket on its pad", "a cup of coffee and a lemon", "a dahlia", "the shirt"]

# Only what differs from the configurations' defaults, as folders on the model hub have it.
CLIP_CONFIG = {
    "model_type": "clip",
    "projection_dim": 20,
    "text_config": {
        "eos_token_id": 2,
        "hidden_size": 24,
        "intermediate_size": 40,
        "max_position_embeddings": 16,
        "num_attention_heads": 3,
        "num_hidden_layers": 2,
    },
    # More layers than the surgery's six, so that its start shows.
    "vision_config": {
        "hidden_size": 24,
        "image_size": 40,
        "intermediate_size": 40,
        "num_attention_heads": 3,
        "num_hidden_layers": 7,
        "patch_size": 8,
    },
}
SIGLIP_CONFIG = {
    "model_type": "siglip",
    "text_config": {
        "hidden_size": 24,
        "intermediate_size": 40,
        "max_position_embeddings": 16,
        "num_attention_heads": 3,
        "num_hidden_layers": 2,
    },
    # 30 pixels hold four patches of 7; two pixels at the right and the bottom are not seen.
    "vision_config": {
        "hidden_size": 24,
        "image_size": 30,
        "intermediate_size": 40,
        "num_attention_heads": 3,
        "num_hidden_layers": 2,
        "patch_size": 7,
    },
}


def randomise(model: torch.nn.Module, generator: torch.Generator) -> None:
    """Gives every parameter a random value that f16 holds exactly, such that attention is far from uniform."""
    for name, parameter in model.named_parameters():
        if name in ("logit_scale", "logit_bias"):
            continue
        value = torch.randn(parameter.shape, generator=generator)
        if "norm" in name and name.endswith("weight"):
            value = 1 + 0.3 * value
        elif name.endswith("bias") or "position" in name:
            value = 0.3 * value
        elif parameter.dim() >= 2 and "embedding" not in name and "probe" not in name:
            value = value / parameter[0].numel() ** 0.5
        if "q_proj" in name or "k_proj" in name:
            value = 2 * value
        if "in_proj" in name:
            value[: 2 * len(value) // 3] *= 2
        if name.endswith("patch_embedding.weight"):
            value = 2 * value / parameter[0].numel() ** 0.5
        parameter.data = value.half().float()
    model.logit_scale.data.fill_(2.5)
    if hasattr(model, "logit_bias"):
        model.logit_bias.data.fill_(-1.5)


def picture(width: int, height: int) -> Image.Image:
    """A bright square on coloured waves."""
    y, x = np.mgrid[:height, :width]
    waves = [128 + 90 * np.sin(x / a + y / b) for a, b in ((5, 9), (-7, 4), (11, 3))]
    pixels = np.stack(waves, -1).round().astype(np.uint8)
    pixels[height // 4 : height // 2, width // 3 : width // 2] = (250, 240, 20)
    return Image.fromarray(pixels)


def clip_tokenizer() -> CLIPTokenizer:
    """Learns merges as BPE does; the library's trainer numbers pieces in another order each time."""
    words = [[*word[:-1], f"{word[-1]}</w>"] for text in CORPUS for word in text.split()]
    merges = []
    while len(merges) < 40:
        pairs = Counter(pair for word in words for pair in pairwise(word))
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        words = [merged(word, best) for word in words]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    # The marks come last, as in the real vocabulary: before `eos_token_id`, the end was the largest token.
    pieces = [*alphabet, *(f"{byte}</w>" for byte in alphabet), *map("".join, merges)]
    pieces += ["<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab={piece: at for at, piece in enumerate(pieces)}, merges=merges, model_max_length=16)


def merged(word: list[str], pair: tuple[str, str]) -> list[str]:
    out = []
    for piece in word:
        if out and (out[-1], piece) == pair:
            out[-1] += piece
        else:
            out.append(piece)
    return out


def siglip_tokenizer() -> PreTrainedTokenizerFast:
    """A unigram model of the most frequent pieces of up to four letters."""
    words = [f"▁{word}" for text in CORPUS for word in text.split()]
    counts = Counter(w[i:j] for w in words for i in range(len(w)) for j in range(i + 1, min(i + 4, len(w)) + 1))
    frequent = sorted(counts, key=lambda piece: (-counts[piece] * len(piece), piece))[:80]
    letters = sorted(set("".join(words)) - set(frequent))
    total = sum(counts.values())
    pieces = [(piece, math.log(counts[piece] / total)) for piece in [*frequent, *letters]]
    marks = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    unigram = Tokenizer(models.Unigram(marks + pieces, unk_id=2))
    unigram.normalizer = normalizers.NFKC()
    unigram.pre_tokenizer = pre_tokenizers.Metaspace()
    unigram.post_processor = processors.TemplateProcessing("$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=unigram, eos_token="</s>", pad_token="</s>", unk_token="<unk>", model_max_length=16
    )


def canonical(text: str) -> str:
    """SiglipTokenizer's tokenize and canonicalize_text, without sentencepiece."""
    return " ".join(text.replace("▁", " ").lower().translate(str.maketrans("", "", string.punctuation)).split())


def unit(x: torch.Tensor) -> torch.Tensor:
    return x / x.norm(dim=-1, keepdim=True)


class Reference:
    """A checkpoint in f64 with its picture."""

    def __init__(self, kind: str) -> None:
        torch.manual_seed(SEED)
        self.kind = kind
        if kind == "clip":
            self.tokenizer, self.config = clip_tokenizer(), json.loads(json.dumps(CLIP_CONFIG))
            build, model = CLIPConfig.from_dict, CLIPModel
            side, self.picture = 40, picture(60, 40)
            self.processor = CLIPImageProcessorPil(size={"shortest_edge": side}, crop_size=side)
        else:
            self.tokenizer, self.config = siglip_tokenizer(), json.loads(json.dumps(SIGLIP_CONFIG))
            build, model = SiglipConfig.from_dict, SiglipModel
            side, self.picture = 30, picture(30, 30)
            self.processor = SiglipImageProcessorPil(size={"height": side, "width": side})
        self.config["text_config"]["vocab_size"] = len(self.tokenizer)
        self.model = model(build(self.config)).eval()
        randomise(self.model, torch.Generator().manual_seed(SEED))
        self.weights = {name: value.half().clone() for name, value in self.model.state_dict().items()}
        self.model.double()
        self.pixels = self.processor(self.picture, return_tensors="pt")["pixel_values"].double()
        with torch.no_grad():
            self.vision = self.model.vision_model(self.pixels, output_hidden_states=True)
            image = self.vision.pooler_output
            self.image = image if kind == "siglip" else self.model.visual_projection(image)

    def tokens(self, text: str) -> list[int]:
        if self.kind == "clip":
            return self.tokenizer(text, truncation=True)["input_ids"]
        padded = self.tokenizer(canonical(text), truncation=True, padding="max_length")
        return padded["input_ids"]

    @torch.no_grad()
    def text(self, text: str) -> torch.Tensor:
        pooled = self.model.text_model(torch.tensor([self.tokens(text)])).pooler_output
        return pooled[0] if self.kind == "siglip" else self.model.text_projection(pooled)[0]

    def label(self, label: str) -> torch.Tensor:
        """The prompt ensemble of open_clip's zero_shot_classifier.py."""
        return unit(torch.stack([unit(self.text(template.format(label))) for template in TEMPLATES]).mean(0))

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        save_file(self.weights, folder / "model.safetensors", metadata={"format": "pt"})
        self.picture.save(folder / "picture.png", optimize=True)
        self.tokenizer.save_pretrained(folder)
        # Written anew: the library's own names every default, and differs by version.
        side = self.config["vision_config"]["image_size"]
        clip = {"size": {"shortest_edge": side}, "crop_size": {"height": side, "width": side}, "do_center_crop": True}
        sizes = clip if self.kind == "clip" else {"size": {"height": side, "width": side}}
        classes = {"clip": "CLIPTokenizer", "siglip": "SiglipTokenizer"}
        pads = {"clip": "<|endoftext|>", "siglip": "</s>"}
        for name, content in [
            ("config.json", self.config),
            ("preprocessor_config.json", {**sizes, "resample": 3}),
            ("tokenizer_config.json", {"pad_token": pads[self.kind], "tokenizer_class": classes[self.kind]}),
        ]:
            (folder / name).write_text(json.dumps(content, indent=1) + "\n")


def heads(x: torch.Tensor, count: int) -> torch.Tensor:
    """[tokens, width] as [heads, tokens, head width]."""
    return x.unflatten(-1, (count, -1)).transpose(0, 1)


def self_similar(layer: torch.nn.Module, x: torch.Tensor, by: str) -> torch.Tensor:
    """The attention's output when queries ("q") or values ("v") are compared with themselves."""
    attention = layer.self_attn
    y = layer.layer_norm1(x)
    same = heads({"q": attention.q_proj, "v": attention.v_proj}[by](y), attention.num_heads)
    v = heads(attention.v_proj(y), attention.num_heads)
    shares = torch.softmax(same @ same.mT * same.shape[-1] ** -0.5, -1)
    return attention.out_proj((shares @ v).transpose(0, 1).flatten(1))


@torch.no_grad()
def clear_clip(reference: Reference, text: torch.Tensor) -> torch.Tensor:
    """mc-lan/ClearCLIP open_clip/transformer.py, VisionTransformer.forward and custom_attn."""
    vision = reference.model.vision_model
    out = self_similar(vision.encoder.layers[-1], reference.vision.hidden_states[-2][0], "q")
    features = reference.model.visual_projection(vision.post_layernorm(out))
    return unit(features[1:]) @ text


@torch.no_grad()
def surgery_features(reference: Reference) -> torch.Tensor:
    """xmed-lab/CLIP_Surgery clip/clip_surgery_model.py: the new path beside the last six blocks."""
    vision = reference.model.vision_model
    layers = list(vision.encoder.layers)
    states = reference.vision.hidden_states
    side = states[len(layers) - 6][0].clone()
    for index in range(len(layers) - 6, len(layers)):
        side += self_similar(layers[index], states[index][0], "v")
    side[0] = states[-1][0, 0]
    return unit(reference.model.visual_projection(vision.post_layernorm(side)))


def feature_surgery(image: torch.Tensor, texts: torch.Tensor, redundant: torch.Tensor | None) -> torch.Tensor:
    """xmed-lab/CLIP_Surgery clip/clip.py, clip_feature_surgery: [texts, patches]."""
    if redundant is not None:
        return (texts - redundant) @ image[1:].T
    share = torch.softmax(2 * (image[:1] @ texts.T), -1)
    weight = share / share.mean(-1, keepdim=True)
    products = image[:, None, :] * texts[None] * weight[:, :, None]
    return (products - products.mean(1, keepdim=True)).sum(-1)[1:].T


def pooled(head: torch.nn.Module, values: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
    mixed = head.attention.out_proj((shares @ values).transpose(0, 1).flatten(1))[0]
    return mixed + head.mlp(head.layernorm(mixed))


def map_grad(reference: Reference, text: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The cosine's gradient by autograd at each patch's values, times the values; and the values it must sum to."""
    head = reference.model.vision_model.head
    states = reference.vision.last_hidden_state[0]
    count = reference.config["vision_config"]["num_attention_heads"]
    q, k, v = (
        heads(torch.nn.functional.linear(x, weight, bias), count)
        for x, weight, bias in zip(
            (head.probe[0], states, states),
            head.attention.in_proj_weight.chunk(3),
            head.attention.in_proj_bias.chunk(3),
            strict=True,
        )
    )
    shares = torch.softmax(q @ k.mT * q.shape[-1] ** -0.5, -1).detach()
    values = v.detach().requires_grad_()
    image = pooled(head, values, shares)
    assert torch.allclose(image, reference.image[0], atol=1e-12), "the head is transformers'"
    (gradient,) = torch.autograd.grad(unit(image) @ text, values)
    products = gradient * values
    return products.sum((0, 2)).detach(), products.sum().detach()


@torch.no_grad()
def map_mask_clip(reference: Reference, text: torch.Tensor) -> torch.Tensor:
    """Each patch pooled as if the probe saw it alone."""
    head = reference.model.vision_model.head
    states = reference.vision.last_hidden_state[0]
    alone = head(states[:, None])
    return unit(alone) @ text


def golden(reference: Reference) -> tuple[dict, dict]:
    texts = torch.stack([reference.text(phrase) for phrase in PHRASES])
    labels = torch.stack([reference.label(label) for label in LABELS])
    image = unit(reference.image)
    logits = reference.model.logit_scale.exp() * (labels @ image[0])
    tensors = {"text_embeds": unit(texts), "image_embeds": image, "label_embeds": labels}
    facts = {"templates": TEMPLATES, "labels": LABELS, "phrases": PHRASES}
    facts["tokens"] = [reference.tokens(phrase) for phrase in PHRASES]
    with torch.no_grad():
        ids = torch.tensor([reference.tokens(PHRASES[0])])
        whole = reference.model(input_ids=ids, pixel_values=reference.pixels)
    tensors["logits_per_image"] = whole.logits_per_image
    if reference.kind == "clip":
        tensors["shares"] = torch.softmax(logits, -1)
        tensors["clear_clip"] = torch.stack([clear_clip(reference, label) for label in labels])
        features = surgery_features(reference)
        tensors["surgery"] = feature_surgery(features, labels, None)
        tensors["surgery_single"] = feature_surgery(features, labels, reference.label(""))
        # The same weights with another activation, and pooled at another token.
        ends = reference.tokenizer.convert_tokens_to_ids("a</w>")
        for name, field, value in [("gelu", "hidden_act", "gelu"), ("end_a", "eos_token_id", ends)]:
            config = json.loads(json.dumps(reference.config))
            config["text_config"][field] = facts[name] = value
            other = CLIPModel(CLIPConfig.from_dict(config)).eval().double()
            other.load_state_dict(reference.weights)
            with torch.no_grad():
                found = other.text_projection(other.text_model(ids).pooler_output)
            tensors[f"text_{name}"] = unit(found)
    else:
        tensors["shares"] = torch.sigmoid(logits + reference.model.logit_bias)
        found = [map_grad(reference, label) for label in labels]
        tensors["map_grad"] = torch.stack([values for values, _ in found])
        tensors["map_grad_sum"] = torch.stack([total for _, total in found])
        tensors["map_mask_clip"] = torch.stack([map_mask_clip(reference, label) for label in labels])
    return {name: value.detach().float().contiguous() for name, value in tensors.items()}, facts


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    args.add_argument("--out", type=Path, required=True)
    args = args.parse_args()
    for kind in ("clip", "siglip"):
        reference = Reference(kind)
        folder = args.out / kind
        reference.save(folder)
        tensors, facts = golden(reference)
        save_file(tensors, folder / "expected.safetensors")
        (folder / "expected.json").write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n")
        cosines = tensors["image_embeds"] @ tensors["label_embeds"].T
        print(kind, {name: tuple(value.shape) for name, value in tensors.items()}, "cosines", cosines.tolist())


if __name__ == "__main__":
    main()
