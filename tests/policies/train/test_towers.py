"""The controller's tower from a detector: the same maps as the detector's own backbone."""

from pathlib import Path

import pytest
import torch

from policies.nano import WEIGHTS
from policies.train.towers import load_tower, tower_config
from tools.errors import UsageError


def test_the_tower_sees_what_the_backbone_of_the_nano_grounding_dino_sees():
    from transformers import GroundingDinoForObjectDetection

    detector = GroundingDinoForObjectDetection.from_pretrained(WEIGHTS / "grounding-nano").float().eval()
    tower = load_tower(Path("grounding-nano")).eval()
    pixels = torch.randn(2, 3, 96, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        mine = tower(pixels, output_hidden_states=True).hidden_states
        theirs = detector.model.backbone.conv_encoder.model(pixels).feature_maps
    assert tower_config(Path("grounding-nano")).hidden_sizes == [32, 64, 128, 256]
    for one, other in zip(mine[-2:], theirs, strict=True):
        assert torch.allclose(one, other, atol=1e-4)


def test_a_folder_without_a_tower_is_one_line(tmp_path):
    with pytest.raises(UsageError, match="no vision tower in"):
        load_tower(tmp_path)
