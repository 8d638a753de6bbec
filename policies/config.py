"""Configuration of the native controller and the special tokens of its protocol.

One class covers every size: the nano controller and a Vicuna-7B with CLIP-L/336 differ only in `text_config` and
`vision_config`. Without a `vision_config` the model is its language model and the decision tokens, nothing else.
"""

from __future__ import annotations

import copy
from typing import Any, ClassVar

from transformers import AutoConfig, PreTrainedConfig, PreTrainedTokenizerBase

from tools.errors import UsageError

ANSWER_TOKEN = "<|answer|>"
CALL_TOKEN = "<|call|>"
REGION_TOKEN = "<|region|>"
IMAGE_TOKEN = "<image>"
SPECIAL_TOKENS = (ANSWER_TOKEN, CALL_TOKEN, REGION_TOKEN, IMAGE_TOKEN)

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)

POSITIVE = (
    "resampler_depth",
    "resampler_heads",
    "resampler_head_dim",
    "resampler_latents",
    "max_mlp_regions",
    "roi_cells",
    "roi_samples",
)
CHOICES = {
    "vision_feature_select": ("patch", "full"),
    "allocation": ("rule", "mlp", "resampler"),
    "region_pathway": ("crop", "roi_align", "hybrid"),
}


class P2GConfig(PreTrainedConfig):
    """Settings of `P2GModel`; saved and loaded like any `transformers` configuration.

    `text_config`: any causal LM. `vision_config`: any CLIP-style tower (`hidden_size`, `image_size`, `patch_size`), a
    ResNet (its feature map is flattened), or None for the text path alone. Both take a configuration or its dict with
    `model_type`. `vision_side` says the pixels along a side for a tower that takes any size.

    `vision_feature_layer` counts hidden states: None is -2, the layer before the last, or a ResNet's last map, -1.
    `vision_feature_select` is "patch" (only the patches: a CLS token or registers in front are dropped) or "full" (the
    CLS token and the patches).
    `projector_dim` and `resampler_dim` default to the LM's and the tower's width. `resampler_depth` 1 is P²G's single
    cross-attention; SEAL's is 6 with 16 heads of 96 and 32 latents. `resampler_ff` is the feed-forward width as a
    multiple of `resampler_dim`, 0 for none. `crop_scale` grows a region's box about its centre before it is cropped.
    `max_mlp_regions` is the largest number of regions that still go through the MLP; `allocation` "mlp" or "resampler"
    sends everything through that one instead (`policies.allocation`). `region_pathway` is "crop", "roi_align" or
    "hybrid" (`policies.regions`): a pooled region is `roi_cells` x `roi_cells` features of `roi_samples`^2 samples
    each, and hybrid re-encodes what is less than `hybrid_min_cells` features wide or high on the global map.
    """

    model_type = "p2g"
    sub_configs: ClassVar[dict[str, Any]] = {"text_config": AutoConfig, "vision_config": AutoConfig}

    def __init__(
        self,
        text_config: PreTrainedConfig | dict[str, Any] | None = None,
        vision_config: PreTrainedConfig | dict[str, Any] | None = None,
        projector_dim: int | None = None,
        resampler_dim: int | None = None,
        resampler_depth: int = 1,
        resampler_heads: int = 16,
        resampler_head_dim: int = 64,
        resampler_latents: int = 32,
        resampler_ff: int = 4,
        vision_feature_layer: int | None = None,
        vision_feature_select: str = "patch",
        vision_side: int | None = None,
        image_mean: tuple[float, ...] = CLIP_MEAN,
        image_std: tuple[float, ...] = CLIP_STD,
        crop_scale: float = 1.2,
        max_mlp_regions: int = 4,
        allocation: str = "rule",
        region_pathway: str = "crop",
        roi_cells: int = 4,
        roi_samples: int = 2,
        hybrid_min_cells: float = 4.0,
        answer_token_id: int | None = None,
        call_token_id: int | None = None,
        region_token_id: int | None = None,
        image_token_id: int | None = None,
        **kwargs: Any,
    ):
        self.text_config = _sub_config(text_config, "text_config") or AutoConfig.for_model("llama")
        self.vision_config = _sub_config(vision_config, "vision_config")
        self.projector_dim = projector_dim
        self.resampler_dim = resampler_dim
        self.resampler_depth = resampler_depth
        self.resampler_heads = resampler_heads
        self.resampler_head_dim = resampler_head_dim
        self.resampler_latents = resampler_latents
        self.resampler_ff = resampler_ff
        if vision_feature_layer is None:
            vision_feature_layer = -1 if self.convolutional else -2
        self.vision_feature_layer = vision_feature_layer
        self.vision_feature_select = vision_feature_select
        self.vision_side = vision_side
        self.image_mean = list(image_mean)
        self.image_std = list(image_std)
        self.crop_scale = crop_scale
        self.max_mlp_regions = max_mlp_regions
        self.allocation = allocation
        self.region_pathway = region_pathway
        self.roi_cells = roi_cells
        self.roi_samples = roi_samples
        self.hybrid_min_cells = hybrid_min_cells
        self.answer_token_id = answer_token_id
        self.call_token_id = call_token_id
        self.region_token_id = region_token_id
        self.image_token_id = image_token_id
        self._check()
        super().__init__(**kwargs)

    def _check(self) -> None:
        for name in POSITIVE:
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                listed = " or ".join(map(repr, choices))
                raise UsageError(f"{name} must be {listed}, got {getattr(self, name)!r}")
        if self.crop_scale < 1:
            raise UsageError(f"crop_scale must be at least 1, got {self.crop_scale}")
        if self.convolutional and self.vision_feature_select == "full":
            raise UsageError("a convolutional tower has no CLS token; set vision_feature_select to 'patch'")

    @property
    def text_width(self) -> int:
        """Width of the language model's embeddings."""
        return int(self.text_config.get_text_config().hidden_size)

    @property
    def convolutional(self) -> bool:
        """Whether the tower is a ResNet, whose hidden states are maps `[N, C, H, W]`."""
        return hasattr(self.vision_config, "hidden_sizes") and not hasattr(self.vision_config, "patch_size")

    @property
    def vision_width(self) -> int:
        """Width of the vision tower's features. Raises `UsageError` without a tower."""
        tower = self._vision()
        if not self.convolutional:
            return int(tower.hidden_size)
        return int([tower.embedding_size, *tower.hidden_sizes][self.vision_feature_layer])

    @property
    def image_side(self) -> int:
        """Pixels along each side of the square pictures the tower takes. Raises `UsageError` without a tower."""
        side = self.vision_side or getattr(self._vision(), "image_size", None)
        if side is None:
            raise UsageError("vision_config says no image_size; set vision_side to the pixels along a picture's side")
        return int(side)

    @property
    def vision_stride(self) -> int:
        """Pixels along each side of one feature's cell. Raises `UsageError` without a tower."""
        tower = self._vision()
        if not self.convolutional:
            return int(tower.patch_size)
        first = 8 if tower.downsample_in_first_stage else 4
        strides = [4, *(first * 2**stage for stage in range(len(tower.hidden_sizes)))]
        return strides[self.vision_feature_layer]

    @property
    def vision_grid(self) -> int:
        """Features along each side of the map of one picture. Raises `UsageError` without a tower."""
        if self.convolutional:
            return -(-self.image_side // self.vision_stride)
        return self.image_side // self.vision_stride

    @property
    def vision_tokens(self) -> int:
        """Number of feature vectors the tower gives for one picture. Raises `UsageError` without a tower."""
        return self.vision_grid**2 + (self.vision_feature_select == "full")

    def _vision(self) -> Any:
        if self.vision_config is None:
            raise UsageError("this controller has no vision tower (vision_config is None): it takes text only")
        return self.vision_config


def _sub_config(value: PreTrainedConfig | dict[str, Any] | None, name: str) -> PreTrainedConfig | None:
    if value is None or isinstance(value, PreTrainedConfig):
        return copy.deepcopy(value)  # a model given with its own configuration keeps that one as it is
    settings = dict(value)
    model_type = settings.pop("model_type", None)
    if model_type is None:
        raise UsageError(f"{name} has no 'model_type'; give a transformers configuration or its dict")
    return AutoConfig.for_model(model_type, **settings)


def add_special_tokens(tokenizer: PreTrainedTokenizerBase, config: P2GConfig) -> list[int]:
    """Make sure `tokenizer` knows `SPECIAL_TOKENS`, write their ids into `config`; returns the ids that are new."""
    known = tokenizer.get_vocab()
    tokenizer.add_tokens([token for token in SPECIAL_TOKENS if token not in known], special_tokens=True)
    vocabulary = tokenizer.get_vocab()
    ids = {token: vocabulary[token] for token in SPECIAL_TOKENS}
    config.answer_token_id, config.call_token_id = ids[ANSWER_TOKEN], ids[CALL_TOKEN]
    config.region_token_id, config.image_token_id = ids[REGION_TOKEN], ids[IMAGE_TOKEN]
    return [ids[token] for token in SPECIAL_TOKENS if token not in known]
