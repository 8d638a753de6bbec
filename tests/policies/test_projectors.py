"""The two projectors as modules: what each changes and what it must leave alone."""

import pytest
import torch

from policies.projectors import MLPProjector, Resampler


def make(depth=2, **settings):
    torch.manual_seed(0)
    resampler = Resampler(12, 20, dim=16, depth=depth, heads=2, head_dim=8, latents=5, **settings)
    torch.nn.init.normal_(resampler.latents)
    return resampler.eval()


def test_the_mlp_changes_the_dimension_only():
    assert MLPProjector(12, 32, 20)(torch.randn(3, 7, 12)).shape == (3, 7, 20)


def test_the_mlp_treats_every_token_alone():
    mlp, x = MLPProjector(12, 32, 20), torch.randn(1, 7, 12)
    torch.testing.assert_close(mlp(x)[:, 2:4], mlp(x[:, 2:4]))


@pytest.mark.parametrize("patches", [1, 16, 49])
@pytest.mark.parametrize("depth", [1, 6])
def test_the_resampler_gives_its_number_of_tokens_for_any_input(patches, depth):
    assert make(depth)(torch.randn(3, patches, 12)).shape == (3, 5, 20)


def test_permuted_latents_permute_the_output():
    resampler, x = make(), torch.randn(2, 9, 12)
    before, order = resampler(x), torch.tensor([3, 0, 4, 1, 2])
    resampler.latents.data = resampler.latents.data[order]
    assert not torch.allclose(resampler(x), before)
    torch.testing.assert_close(resampler(x), before[:, order])


def test_the_order_of_features_does_not_matter_but_their_values_do():
    resampler, x = make(), torch.randn(2, 9, 12)
    torch.testing.assert_close(resampler(x.flip(1)), resampler(x))
    changed = x.clone()
    changed[:, 4] += 1 + torch.arange(12)
    assert not torch.allclose(resampler(changed), resampler(x))


def test_latents_are_keys_too():
    resampler, x = make(depth=1, ff=0), torch.randn(1, 9, 12)
    before = resampler(x)
    resampler.latents.data[4] += torch.arange(16)
    assert not torch.allclose(resampler(x)[:, :4], before[:, :4])  # the others see the change through attention


def test_pictures_of_a_batch_do_not_see_each_other():
    resampler, x = make(), torch.randn(3, 9, 12)
    torch.testing.assert_close(resampler(x)[1:2], resampler(x[1:2]))


def test_the_published_sizes_of_seal():
    with torch.device("meta"):
        resampler = Resampler(1024, 4096, dim=1024, depth=6, heads=16, head_dim=96, latents=32, ff=4)
    assert isinstance(resampler.proj_in, torch.nn.Identity)
    assert resampler.latents.shape == (32, 1024)
    block = resampler.blocks[5]
    assert (block.to_q.weight.shape, block.to_kv.weight.shape) == ((1536, 1024), (3072, 1024))
    assert block.feed_forward.linear_1.weight.shape == (4096, 1024)


def test_ff_zero_leaves_the_feed_forward_out():
    assert make(depth=1, ff=0).blocks[0].feed_forward is None
