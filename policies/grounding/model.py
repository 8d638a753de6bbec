"""The nano Grounding DINO: transformers' architecture with a slim ResNet and a small BERT, and a sensible beginning.

Two things differ from a default beginning, none in the architecture. The contrastive head has no bias, so the first
of the `d_model` dimensions is made one: constant in every phrase and every query, it starts all scores low, as focal
losses need. And phrases and picture meet only in the head: a phrase is scored the same whatever else is asked, and
names that training never showed keep the meaning the text encoder gives them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from policies.grounding.configuration import LEVELS, Shape
from tools.errors import UsageError

if TYPE_CHECKING:
    import torch

LOW = -4.0  # logit of every score at the beginning


def build(shape: Shape, text_config: Any) -> Any:
    """A `GroundingDinoForObjectDetection` with random weights, ready to train."""
    import torch
    from transformers import GroundingDinoConfig, GroundingDinoForObjectDetection, ResNetConfig

    stages = len(shape.widths)
    settings: dict[str, Any] = {"out_features": [f"stage{stages - at}" for at in reversed(range(LEVELS))]}
    backbone = ResNetConfig(
        embedding_size=shape.stem,
        hidden_sizes=list(shape.widths),
        depths=list(shape.depths),
        layer_type="basic",
        **settings,
    )
    config = GroundingDinoConfig(
        backbone_config=backbone,
        text_config=text_config,
        d_model=shape.d_model,
        encoder_layers=shape.encoder_layers,
        decoder_layers=shape.decoder_layers,
        encoder_attention_heads=shape.heads,
        decoder_attention_heads=shape.heads,
        encoder_ffn_dim=4 * shape.d_model,
        decoder_ffn_dim=4 * shape.d_model,
        num_queries=shape.queries,
        num_feature_levels=LEVELS,
        dropout=0.0,
        fusion_droppath=0.0,
    )
    model: Any = GroundingDinoForObjectDetection(config)
    with torch.no_grad():
        _begin(model)
    for parameter in model.model.backbone.parameters():
        parameter.requires_grad_(True)
    for parameter in model.model.text_backbone.parameters():
        parameter.requires_grad_(False)
    for parameter in apart(model):
        parameter.requires_grad_(False)
    return model


def go_on_from(model: Any, folder: Path) -> None:
    """Gives a model that `build` made the weights of a checkpoint folder of the same shape. Raises `UsageError`."""
    import torch
    from transformers import GroundingDinoForObjectDetection

    kind: Any = GroundingDinoForObjectDetection
    try:
        model.load_state_dict(kind.from_pretrained(str(folder.absolute()), dtype=torch.float32).state_dict())
    except (OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UsageError(f"training cannot go on from {folder} ({reason}); its recipe needs the same shape") from error


def _begin(model: Any) -> None:
    core = model.model
    for layer in core.encoder.layers:
        norm = layer.text_enhancer_layer.layer_norm_after
        if layer is core.encoder.layers[-1]:
            norm.weight.fill_(0.15)
            norm.weight[0], norm.bias[0] = 0.0, 2.0
        layer.fusion_layer.vision_param.zero_()
        layer.fusion_layer.text_param.zero_()
        for linear in (layer.text_enhancer_layer.self_attn.out_proj, layer.text_enhancer_layer.fc2):
            linear.weight.zero_()
            linear.bias.zero_()
    for norm in (core.enc_output_norm, core.decoder.layer_norm):
        norm.weight[0], norm.bias[0] = 0.0, LOW / 2
    for layer in core.decoder.layers:
        layer.encoder_attn_text.out_proj.weight.zero_()
        layer.encoder_attn_text.out_proj.bias.zero_()


def apart(model: Any) -> list[torch.nn.Parameter]:
    """The parameters through which phrases would change the picture's features, or those the phrases."""
    found = []
    for layer in model.model.encoder.layers:
        found += [layer.fusion_layer.vision_param, layer.fusion_layer.text_param, *layer.fusion_layer.attn.parameters()]
        enhancer = layer.text_enhancer_layer
        found += [*enhancer.self_attn.parameters(), *enhancer.fc1.parameters(), *enhancer.fc2.parameters()]
    for layer in model.model.decoder.layers:
        found += list(layer.encoder_attn_text.parameters())
    return found


@dataclass
class Proposals:
    """What the encoder says of every cell of its feature maps."""

    queries: torch.Tensor  # [B, S, d]
    text: torch.Tensor  # [B, T, d]
    logits: torch.Tensor  # [B, S, T]
    coords: torch.Tensor  # [B, S, 4], before the sigmoid; inf where a cell makes no proposal
    shapes: list[tuple[int, int]]  # height, width of each level
    memory: torch.Tensor  # [B, S, d], what the decoder looks at


def propose(
    model: Any, pixels: torch.Tensor, ids: torch.Tensor, mask: torch.Tensor, words: torch.Tensor, light: bool = False
) -> Proposals:
    """The forward pass up to the proposals (two-stage part of `GroundingDinoModel.forward`), without the decoder.

    `words` `[B, T, hidden]`: the text encoder's output, which training does not change. `light` leaves out all
    attention, which is exact as long as that adds nothing (`still`): most of the time on a CPU, little of the result.
    """
    import torch

    core = model.model
    flat = torch.ones(pixels.shape[0], *pixels.shape[-2:], dtype=torch.long, device=pixels.device)
    maps, places = core.backbone(pixels, flat)
    sources = [core.input_proj_vision[level](source) for level, (source, _) in enumerate(maps)]
    shapes = [(source.shape[-2], source.shape[-1]) for source in sources]
    vision = torch.cat([source.flatten(2).transpose(1, 2) for source in sources], 1)
    full = torch.zeros(vision.shape[:2], dtype=torch.bool, device=vision.device)
    if light:
        memory, text = _lightly(core.encoder, vision), meaning(model, words)
    else:
        seen, positions = _masks(core, ids)
        place = [one.flatten(2).transpose(1, 2) + core.level_embed[level] for level, one in enumerate(places)]
        sizes = torch.as_tensor(shapes, dtype=torch.long, device=vision.device)
        encoded = core.encoder(
            vision_features=vision,
            vision_attention_mask=full,
            vision_position_embedding=torch.cat(place, 1),
            spatial_shapes=sizes,
            spatial_shapes_list=shapes,
            level_start_index=torch.cat((sizes.new_zeros((1,)), sizes.prod(1).cumsum(0)[:-1])),
            valid_ratios=torch.ones(vision.shape[0], len(shapes), 2, device=vision.device),
            text_features=core.text_projection(words),
            text_attention_mask=~mask,
            text_position_embedding=None,
            text_self_attention_masks=~seen,
            text_position_ids=positions,
            return_dict=True,
        )
        memory, text = encoded.last_hidden_state_vision, encoded.last_hidden_state_text
    queries, anchors = core.generate_encoder_output_proposals(memory, full, shapes)
    logits = queries @ text.transpose(-1, -2)
    return Proposals(queries, text, logits, core.encoder_output_bbox_embed(queries) + anchors, shapes, memory)


def _masks(core: Any, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Which tokens each token sees, those of its own phrase; and its place in that."""
    from transformers.models.grounding_dino import modeling_grounding_dino

    reference: Any = modeling_grounding_dino
    seen, positions = reference.generate_masks_with_special_tokens_and_transfer_map(ids, core.special_tokens)
    return seen, positions


@dataclass
class Refined:
    """What the decoder makes of the best proposals, layer by layer."""

    chosen: torch.Tensor  # [B, Q] cells
    logits: list[torch.Tensor]  # [B, Q, T] each
    boxes: list[torch.Tensor]  # [B, Q, 4] each: centre, size; 0-1


def refine(model: Any, found: Proposals, mask: torch.Tensor) -> Refined:
    """The second half of the forward pass: the decoder on the best proposals, and the heads after each layer."""
    import torch

    core = model.model
    best = found.logits.masked_fill(~mask[:, None], float("-inf")).max(-1)[0]
    chosen = torch.topk(best, core.config.num_queries, dim=1)[1]
    start = torch.gather(found.coords, 1, chosen[..., None].expand(-1, -1, 4)).detach().sigmoid()
    sizes = torch.as_tensor(found.shapes, dtype=torch.long, device=start.device)
    decoded = core.decoder(
        inputs_embeds=core.query_position_embeddings.weight[None].repeat(len(start), 1, 1),
        vision_encoder_hidden_states=found.memory,
        vision_encoder_attention_mask=torch.ones(found.memory.shape[:2], dtype=torch.bool, device=start.device),
        text_encoder_hidden_states=found.text,
        text_encoder_attention_mask=~mask,
        reference_points=start,
        spatial_shapes=sizes,
        spatial_shapes_list=found.shapes,
        level_start_index=torch.cat((sizes.new_zeros((1,)), sizes.prod(1).cumsum(0)[:-1])),
        valid_ratios=torch.ones(len(start), len(found.shapes), 2, device=start.device),
        self_attn_mask=None,
        return_dict=True,
    )
    logits, boxes = [], []
    for layer in range(decoded.intermediate_hidden_states.shape[1]):
        hidden = decoded.intermediate_hidden_states[:, layer]
        reference = start if layer == 0 else decoded.intermediate_reference_points[:, layer - 1]
        logits.append(hidden @ found.text.transpose(-1, -2))
        boxes.append(
            (model.bbox_embed[layer](hidden).float() + torch.special.logit(reference.float(), eps=1e-5)).sigmoid()
        )
    return Refined(chosen, logits, boxes)


def _lightly(encoder: Any, vision: torch.Tensor) -> torch.Tensor:
    for layer in encoder.layers:
        cell = layer.deformable_layer
        vision = cell.self_attn_layer_norm(layer.fusion_layer.layer_norm_vision(vision))
        vision = cell.final_layer_norm(vision + cell.fc2(cell.activation_fn(cell.fc1(vision))))
    return vision


def still(model: Any) -> None:
    """Makes the encoder's attention between cells add nothing yet."""
    import torch

    with torch.no_grad():
        for layer in model.model.encoder.layers:
            layer.deformable_layer.self_attn.output_proj.weight.zero_()
            layer.deformable_layer.self_attn.output_proj.bias.zero_()


def inherit(model: Any) -> None:
    """Lets the decoder begin nearly as good as the proposals: its first layer looks into each proposed box and reads
    there what the encoder's head read from the cell; everything else adds nothing yet, and boxes stay as proposed."""
    import torch

    core = model.model
    with torch.no_grad():
        core.query_position_embeddings.weight.mul_(0.02)
        for number, layer in enumerate(core.decoder.layers):
            look = layer.encoder_attn
            look.sampling_offsets.bias.mul_(0.12)
            look.value_proj.weight.copy_(torch.eye(look.value_proj.weight.shape[0]))
            for linear in (layer.self_attn.out_proj, layer.fc2, look.output_proj):
                linear.weight.zero_()
                linear.bias.zero_()
            if number == 0:
                look.output_proj.weight.copy_(core.enc_output.weight)
                look.output_proj.bias.copy_(core.enc_output.bias)
        core.decoder.layer_norm.load_state_dict(core.enc_output_norm.state_dict())


def meaning(model: Any, words: torch.Tensor) -> torch.Tensor:
    """`[..., d]`: what the head compares queries with, of text encoder outputs alone: nothing else changes a phrase."""
    text = model.model.text_projection(words)
    for layer in model.model.encoder.layers:
        text = layer.fusion_layer.layer_norm_text(text)
        text = layer.text_enhancer_layer.layer_norm_after(layer.text_enhancer_layer.layer_norm_before(text))
    return text


def thaw_norms(module: Any) -> None:
    """Grounding DINO's frozen batch norms become real ones, so that a backbone can be trained from nothing."""
    import torch

    for name, child in module.named_children():
        if type(child).__name__ == "GroundingDinoFrozenBatchNorm2d":
            real: Any = torch.nn.BatchNorm2d(child.weight.numel(), momentum=0.05).to(child.weight.device)
            with torch.no_grad():
                real.weight.copy_(child.weight)
                real.bias.copy_(child.bias)
                real.running_mean.copy_(child.running_mean)
                real.running_var.copy_(child.running_var)
            setattr(module, name, real)
        else:
            thaw_norms(child)
