"""The native controller: a CLIP-style vision tower, P²G's two projectors and any causal LM, as one `PreTrainedModel`.

A sample is a global image and any number of regions. Each goes through the MLP or the resampler by the rule in
`policies.allocation`, and its tokens replace the placeholders in the text (after P²G, arXiv 2403.19322; the resampler
after SEAL; regions by `policies.regions`). Every assistant turn starts with `<|answer|>` or `<|call|>`: `p_call` is the
softmax of those two.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    GenerationMixin,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers import initialization as init
from transformers.modeling_outputs import CausalLMOutputWithPast

from policies.allocation import IGNORED
from policies.config import P2GConfig, add_special_tokens
from policies.projectors import MLPProjector, Resampler
from policies.regions import roi_align
from policies.tower import tower_features
from policies.visuals import Visuals, one_context_blocks, region_numbers, widths
from tools.errors import UsageError


class P2GModel(PreTrainedModel, GenerationMixin):
    """`P2GModel(config)` is random; `from_pretrained` loads one; given parts keep their weights and lend their config.

    Arguments that `forward` and `generate` share (B rows of text):

    * `input_ids [B, L]`: placeholders already expanded (`policies.visuals.Pictures`, `expand_visual_tokens`).
    * `visuals`: the pictures of the batch and a block for every placeholder, in the order of the ids, row after row.
      Rows may hold any number of contexts (packed trees with a 4-D `attention_mask` and `position_ids`), each with its
      own allocation; the tower runs once over all pictures.
    * `attention_mask`: `[B, L]`, 1 where a token is, or `[B, 1, L, L]`, bool (True: may look) or additive floats.

    A thin layer over `visuals` for one context a row, its regions as crops (R_i of them in sample i):

    * `pixel_values [B, 3, H, W]`: one global image per sample, or None.
    * `region_pixel_values [sum R_i, 3, H, W]`: the crops of all samples, one after the other, without padding.
    * `region_counts [B]`: R_i; may be left out when B is 1 or when there are no regions.

    Instead of pixels, all take what `vision_features` gave for them, so that a picture is encoded once.
    A tower without trainable parameters runs without gradients and with the statistics of evaluation (BatchNorm).
    """

    config: P2GConfig
    config_class = P2GConfig
    base_model_prefix = ""
    main_input_name = "input_ids"
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_flex_attn = True
    _supports_attention_backend = True
    _skip_keys_device_placement = ["past_key_values"]  # noqa: RUF012 (the base class declares it)

    def __init__(
        self,
        config: P2GConfig,
        language_model: PreTrainedModel | None = None,
        vision_tower: PreTrainedModel | None = None,
    ):
        config = copy.copy(config)  # the caller's keeps its parts
        if language_model is not None:
            config.text_config = language_model.config
        if vision_tower is not None:
            config.vision_config = vision_tower.config
        super().__init__(config)
        self.language_model = language_model or AutoModelForCausalLM.from_config(config.text_config)
        self.vision_tower: PreTrainedModel | None = None
        self.projector: MLPProjector | None = None
        self.resampler: Resampler | None = None
        if config.vision_config is not None:
            width, out = config.vision_width, config.text_width
            self.vision_tower = vision_tower or AutoModel.from_config(config.vision_config)
            self.projector = MLPProjector(width, config.projector_dim or out, out)
            self.resampler = Resampler(
                width,
                out,
                dim=config.resampler_dim or width,
                depth=config.resampler_depth,
                heads=config.resampler_heads,
                head_dim=config.resampler_head_dim,
                latents=config.resampler_latents,
                ff=config.resampler_ff,
            )
        for part in (language_model, vision_tower):
            for module in part.modules() if part is not None else ():
                module._is_hf_initialized = True  # type: ignore[assignment]  # or post_init draws its weights anew
        self.post_init()
        if language_model is not None and language_model.generation_config is not None:
            self.generation_config = language_model.generation_config
        self._lm_takes_positions = "position_ids" in inspect.signature(self.language_model.forward).parameters

    def forward(
        self,
        input_ids: Tensor | None = None,
        pixel_values: Tensor | None = None,
        region_pixel_values: Tensor | None = None,
        region_counts: Tensor | Sequence[int] | None = None,
        visuals: Visuals | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Any = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        logits_to_keep: int | Tensor = 0,
        **kwargs: Any,
    ) -> CausalLMOutputWithPast:
        """What the language model returns: `loss` (with `labels [B, L]`), `logits [B, L, V]`, `past_key_values`.

        Visual positions never count in the loss. With `past_key_values`, `input_ids` and the pictures are the new part
        and `attention_mask` covers old and new. Raises `UsageError` when pictures and placeholders do not match.
        """
        if inputs_embeds is None:
            if input_ids is None:
                raise UsageError("give input_ids or inputs_embeds")
            fresh = past_key_values is None or past_key_values.get_seq_length() == 0
            inputs_embeds = self.embed(
                input_ids, pixel_values, region_pixel_values, region_counts, visuals=visuals, complete=fresh
            )
            if labels is not None and self.vision_tower is not None:
                labels = labels.masked_fill(self._is_visual(input_ids), IGNORED)
        if position_ids is None and attention_mask is not None and attention_mask.ndim == 2:
            position_ids = (attention_mask.long().cumsum(-1) - 1).clamp(min=0)[:, -inputs_embeds.shape[1] :]
        if attention_mask is not None and attention_mask.ndim == 4 and attention_mask.dtype == torch.bool:
            bias = torch.zeros(attention_mask.shape, dtype=inputs_embeds.dtype, device=attention_mask.device)
            attention_mask = bias.masked_fill_(~attention_mask, torch.finfo(bias.dtype).min)
        if position_ids is not None and self._lm_takes_positions:
            kwargs["position_ids"] = position_ids
        kwargs["return_dict"] = True
        return self.language_model(
            inputs_embeds=inputs_embeds,
            attention_mask=attention_mask,
            past_key_values=past_key_values,
            labels=labels,
            logits_to_keep=logits_to_keep,
            **kwargs,
        )

    @torch.no_grad()
    def generate(  # type: ignore[override]
        self,
        input_ids: Tensor,
        pixel_values: Tensor | None = None,
        region_pixel_values: Tensor | None = None,
        region_counts: Tensor | Sequence[int] | None = None,
        visuals: Visuals | None = None,
        past_key_values: Any = None,
        **kwargs: Any,
    ) -> Any:
        """`GenerationMixin.generate` with pictures; returns the prompt followed by the new tokens.

        With `past_key_values`, `input_ids` is still the whole sequence; the pictures belong to its part that is not
        cached yet.
        """
        old = past_key_values.get_seq_length() if past_key_values is not None else 0
        if past_key_values is not None:
            kwargs["past_key_values"] = past_key_values
        if pixel_values is not None or region_pixel_values is not None or visuals is not None:
            new = self.embed(input_ids[:, old:], pixel_values, region_pixel_values, region_counts, visuals=visuals)
            unused = new.new_zeros(len(new), old, new.shape[-1])  # transformers cuts the cached part off again
            kwargs["inputs_embeds"] = torch.cat([unused, new], dim=1)
        return super().generate(input_ids=input_ids, **kwargs)  # type: ignore[misc]

    def embed(
        self,
        input_ids: Tensor,
        pixel_values: Tensor | None = None,
        region_pixel_values: Tensor | None = None,
        region_counts: Tensor | Sequence[int] | None = None,
        complete: bool = True,
        visuals: Visuals | None = None,
    ) -> Tensor:
        """Input embeddings `[B, L, D]` with the visual tokens in place. Raises `UsageError` on a mismatch.

        `complete` says that the ids are a whole prompt, in which a placeholder without a picture is a mistake.
        """
        embeds = self.get_input_embeddings()(input_ids)
        if region_pixel_values is not None and len(region_pixel_values) == 0:
            region_pixel_values = None
        if pixel_values is not None or region_pixel_values is not None:
            if visuals is not None:
                raise UsageError("give visuals, or pixel_values and region_pixel_values, not both")
            visuals = self._one_context(input_ids, pixel_values, region_pixel_values, region_counts)
        if visuals is None or not len(visuals):
            if complete and self.vision_tower is not None and bool(self._is_visual(input_ids).any()):
                raise UsageError("the text has <image> or <|region|> placeholders but no pictures were given")
            return embeds
        if self.vision_tower is None:
            raise UsageError("this controller has no vision tower (vision_config is None): it takes text only")
        places = self._is_visual(input_ids)
        lengths = torch.tensor(widths(self.config, visuals.blocks), device=input_ids.device)
        ids = input_ids[places]
        if len(ids) != int(lengths.sum()):
            raise UsageError(
                f"{len(visuals)} pictures and regions take {int(lengths.sum())} positions, input_ids have {len(ids)} "
                "placeholders; expand each context with Pictures.expand, in the order of the ids"
            )
        if not torch.equal(ids, ids[lengths.cumsum(0) - lengths].repeat_interleave(lengths)):
            raise UsageError("a picture's positions mix <image> and <|region|>; expand the contexts in order")
        return embeds.masked_scatter(places.unsqueeze(-1), self.visual_tokens(visuals).to(embeds))

    def visual_tokens(self, visuals: Visuals) -> Tensor:
        """`[sum of the blocks' widths, D]`: what the placeholders become, block after block."""
        features, blocks = self._features(visuals.pictures), visuals.blocks
        maps = features[:, -(self.config.vision_grid**2) :].transpose(1, 2)  # without a CLS token
        tokens: list[Tensor] = [features] * len(blocks)
        for via, module in (("mlp", self.projector), ("resampler", self.resampler)):
            for pooled in (False, True):
                chosen = [i for i, b in enumerate(blocks) if b.via == via and (b.box is not None) == pooled]
                if not chosen:
                    continue
                owners = [blocks[i].picture for i in chosen]
                if pooled:
                    boxes = [box for i in chosen if (box := blocks[i].box) is not None]
                    grids = maps.unflatten(2, (self.config.vision_grid, -1))
                    picked = roi_align(grids, owners, boxes, self.config.roi_cells, self.config.roi_samples)
                else:
                    picked = features[owners]
                assert module is not None
                picked = picked.to(next(module.parameters()).dtype)  # a bf16 tower with float32 projectors
                for i, block in zip(chosen, module(picked), strict=True):
                    tokens[i] = block
        return torch.cat(tokens)

    def vision_features(self, pixel_values: Tensor) -> Tensor:
        """Features `[N, P, vision width]` of the configured layer, P = `config.vision_tokens`.

        From normalised pixels `[N, 3, H, W]`, or uint8 `[N, H, W, 3]` as pictures are stored.
        """
        if self.vision_tower is None:
            raise UsageError("this controller has no vision tower (vision_config is None): it takes text only")
        return tower_features(self.vision_tower, self.config, pixel_values)

    def decision_logits(self, logits: Tensor) -> Tensor:
        """`[..., V]` -> `[..., 2]`: answer, call. Take the logits of the position before the assistant turn."""
        if self.config.answer_token_id is None or self.config.call_token_id is None:
            raise UsageError("the decision tokens have no ids yet; call model.add_special_tokens(tokenizer) first")
        return torch.stack([logits[..., self.config.answer_token_id], logits[..., self.config.call_token_id]], dim=-1)

    def p_call(self, logits: Tensor, temperature: float = 1.0, bias: float = 0.0) -> Tensor:
        """Probability `[...]` of calling experts rather than answering, from logits `[..., V]`: a half where that of
        calling is `bias` above that of answering."""
        if temperature <= 0:
            raise UsageError(f"temperature must be positive, got {temperature}")
        answer, call = self.decision_logits(logits).float().unbind(-1)
        return ((call - answer - bias) / temperature).sigmoid()

    @torch.no_grad()
    def add_special_tokens(self, tokenizer: PreTrainedTokenizerBase) -> list[int]:
        """Teach tokenizer, configuration and embeddings the special tokens; new rows start at the mean of the others.

        Returns the ids that are new (empty when the tokenizer knew them all).
        """
        new = add_special_tokens(tokenizer, self.config)
        if len(tokenizer) > self.get_input_embeddings().num_embeddings:
            self.resize_token_embeddings(len(tokenizer), mean_resizing=False)
        if new:
            for layer in (self.get_input_embeddings(), self.get_output_embeddings()):
                if isinstance(layer, nn.Embedding | nn.Linear):  # tied: the second time changes nothing
                    layer.weight[new] = layer.weight[: min(new)].float().mean(dim=0).to(layer.weight.dtype)
        return new

    def get_input_embeddings(self) -> Any:
        return self.language_model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.language_model.set_input_embeddings(value)

    def get_output_embeddings(self) -> nn.Module | None:
        return self.language_model.get_output_embeddings()

    def set_output_embeddings(self, new_embeddings: nn.Module) -> None:
        self.language_model.set_output_embeddings(new_embeddings)

    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, Resampler):
            init.normal_(module.latents, std=0.02)

    def _is_visual(self, input_ids: Tensor) -> Tensor:
        ids = [i for i in (self.config.image_token_id, self.config.region_token_id) if i is not None]
        return torch.isin(input_ids, torch.tensor(ids, dtype=input_ids.dtype, device=input_ids.device))

    def _one_context(
        self,
        input_ids: Tensor,
        images: Tensor | None,
        regions: Tensor | None,
        region_counts: Tensor | Sequence[int] | None,
    ) -> Visuals:
        """The general form of one context a row, whose regions are crops."""
        if self.vision_tower is None:
            raise UsageError("this controller has no vision tower (vision_config is None): it takes text only")
        if regions is not None and self.config.region_pathway != "crop":
            raise UsageError(f"region_pathway is {self.config.region_pathway!r}: give visuals instead of crops")
        counts = region_numbers(region_counts, len(input_ids), 0 if regions is None else len(regions))
        blocks = one_context_blocks(self.config, input_ids.tolist(), None if images is None else len(images), counts)
        return Visuals(self._together([part for part in (images, regions) if part is not None]), blocks)

    def _together(self, parts: list[Tensor]) -> Tensor:
        """One batch of pictures: pixels stay pixels unless some are encoded already."""
        if all(part.ndim == 4 and part.shape[1:] == parts[0].shape[1:] for part in parts):
            return torch.cat(parts)
        return torch.cat([self._features(part) for part in parts])

    def _features(self, pictures: Tensor) -> Tensor:
        """Features of pictures; what is encoded already goes through."""
        if pictures.ndim != 3:
            return self.vision_features(pictures)
        expected = (self.config.vision_tokens, self.config.vision_width)
        if pictures.shape[1:] != expected:
            raise UsageError(f"encoded pictures must be [N, {expected[0]}, {expected[1]}], got {list(pictures.shape)}")
        return pictures
