"""Pixels for the vision tower: the padding colour, the wider crop, the normalisation."""

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import CLIPVisionConfig, LlamaConfig

from policies.config import CLIP_MEAN, CLIP_STD, P2GConfig
from policies.vision import PictureProcessor, crop_region, pad_to_square
from tools.errors import PictureError, UsageError
from tools.pictures import Picture


@pytest.fixture
def processor():
    return PictureProcessor(P2GConfig(LlamaConfig(), CLIPVisionConfig(image_size=56, patch_size=14)))


@pytest.fixture
def picture(tmp_path):
    """A real PNG, 200x100: red at the left of x = 100, blue at the right."""
    pixels = np.zeros((100, 200, 3), dtype=np.uint8)
    pixels[:, :100, 0], pixels[:, 100:, 2] = 255, 255
    Image.fromarray(pixels).save(tmp_path / "two.png")
    return Picture.open(tmp_path / "two.png")


def test_the_global_image_keeps_its_shape_on_the_mean_colour():
    square = np.asarray(pad_to_square(Image.new("RGB", (200, 100), "white"), 56, CLIP_MEAN))
    assert square.shape == (56, 56, 3)
    assert (square[14:42] == 255).all()
    assert (square[:14] == [122, 116, 104]).all()
    assert (square[42:] == [122, 116, 104]).all()


def test_a_line_thin_as_a_hair_still_has_a_pixel():
    assert pad_to_square(Image.new("RGB", (5000, 1), "white"), 56, CLIP_MEAN).size == (56, 56)


def test_pixels_are_normalised_as_clip_was_trained(processor):
    white = processor.image(Picture.open(Image.new("RGB", (80, 80), "white")))
    assert (white.shape, white.dtype) == ((1, 3, 56, 56), torch.float32)
    expected = (1 - torch.tensor(CLIP_MEAN)) / torch.tensor(CLIP_STD)
    torch.testing.assert_close(white[0, :, 28, 28], expected)


def test_a_region_is_grown_about_its_centre_and_stretched(picture):
    narrow = np.asarray(crop_region(picture.image, (20, 20, 100, 60), 60, scale=1.0))
    assert narrow[..., 2].max() < 20  # ends at the border of the colours
    grown = np.asarray(
        crop_region(picture.image, (20, 20, 100, 60), 60)
    )  # x from 12 to 108: the last 8 of 96 pixels are blue
    assert grown[30, 53, 0] > 200
    assert grown[30, 57, 2] > 200


def test_a_region_at_the_border_stops_there(picture):
    whole = np.asarray(picture.image.resize((40, 40), Image.Resampling.BICUBIC))
    assert np.array_equal(np.asarray(crop_region(picture.image, (0, 0, 200, 100), 40)), whole)


def test_regions_come_in_order_and_may_be_none(processor, picture):
    crops = processor.regions(picture, [(10, 10, 30, 30), (150, 10, 170, 30), (50.2, 50.2, 50.6, 50.5)])
    assert crops.shape == (3, 3, 56, 56)
    assert crops[0, 0].mean() > 1 > crops[1, 0].mean()
    assert processor.regions(picture, []).shape == (0, 3, 56, 56)


def test_a_box_outside_the_picture_is_named(processor, picture):
    with pytest.raises(PictureError, match=r"two\.png: box .* outside the 200x100"):
        processor.regions(picture, [(300, 10, 310, 20)])


def test_a_text_only_controller_has_no_pixels_to_make():
    with pytest.raises(UsageError, match="no vision tower"):
        PictureProcessor(P2GConfig(LlamaConfig()))
