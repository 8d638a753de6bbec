"""Writes a trained model as a checkpoint folder for transformers and the expert `ground`: float16, small shards."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from tools.grounded import FILE, Habits

SHARD = "14MB"
SIDE = 416  # what a plain image processor scales to; the expert looks at tiles (`ground.json`)


def export(model: Any, tokenizer: Any, folder: Path) -> Path:
    """The checkpoint; its `ground.json` has usual values until `calibrate.py` writes fitted ones."""
    import torch
    from transformers.models.grounding_dino.image_processing_pil_grounding_dino import GroundingDinoImageProcessorPil
    from transformers.models.grounding_dino.modeling_grounding_dino import replace_batch_norm

    still = copy.deepcopy(model).cpu().float().eval()
    with torch.no_grad():
        replace_batch_norm(still.model.backbone.conv_encoder.model)
    still.config.text_config._name_or_path = ""  # the folder it was read from says nothing to anybody else
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.safetensors*"):
        old.unlink()
    still.to(torch.float16).save_pretrained(folder, max_shard_size=SHARD)
    tokenizer.save_pretrained(folder)
    GroundingDinoImageProcessorPil(size={"shortest_edge": SIDE, "longest_edge": SIDE}).save_pretrained(folder)
    (folder / FILE).write_text(Habits().model_dump_json(indent=1) + "\n", encoding="utf-8")
    return folder
