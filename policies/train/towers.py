"""Where a trained vision tower comes from: a folder of transformers, or the backbone of a Grounding DINO.

The backbone of our nano Grounding DINO was trained to name and place things, which is what the controller needs to see.
`model.tower` in a recipe names such a folder, or one of `policies/weights`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from policies.nano import shipped
from policies.shards import read_shards
from tools.errors import UsageError

BACKBONE = "model.backbone.conv_encoder.model."


def tower_config(tower: Path) -> Any:
    """The configuration of a tower: of the weights that ship by name, or of a folder. Raises `UsageError`."""
    from transformers import AutoConfig, ResNetConfig

    folder = shipped(tower)
    try:
        config = AutoConfig.from_pretrained(folder)
    except (OSError, ValueError) as error:
        raise UsageError(f"no vision tower in {tower}: {str(error).splitlines()[0]}") from error
    if config.model_type != "grounding-dino":
        return config
    backbone = config.backbone_config
    if backbone is None or backbone.model_type != "resnet":
        raise UsageError(f"the Grounding DINO in {tower} has no ResNet as its backbone: give a folder with a tower")
    shape = ("num_channels", "embedding_size", "hidden_sizes", "depths", "layer_type", "hidden_act")
    return ResNetConfig(**{name: getattr(backbone, name) for name in shape})


def load_tower(tower: Path) -> Any:
    """The tower with its weights, float32. Raises `UsageError`."""
    from transformers import AutoModel

    folder, config = shipped(tower), tower_config(tower)
    if config.model_type != "resnet" or not _is_detector(folder):
        try:
            return AutoModel.from_pretrained(folder)
        except (OSError, ValueError) as error:
            raise UsageError(f"no vision tower in {tower}: {str(error).splitlines()[0]}") from error
    tensors = read_shards(folder, "model")
    own = {name.removeprefix(BACKBONE): value for name, value in tensors.items() if name.startswith(BACKBONE)}
    model = AutoModel.from_config(config)
    missing, unexpected = model.load_state_dict({name: value.float() for name, value in own.items()}, strict=False)
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]  # frozen statistics have none
    if missing or unexpected:
        raise UsageError(f"the backbone in {tower} does not fit its configuration: {(missing or unexpected)[0]}")
    return model


def _is_detector(folder: Path) -> bool:
    from transformers import AutoConfig

    return bool(AutoConfig.from_pretrained(folder).model_type == "grounding-dino")
