"""Packing: a branch in a tree is worth exactly what it is alone, the budget holds, and no tree is lost."""

import random

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import LlamaForCausalLM

from policies.config import P2GConfig
from policies.data.tree import Branch, Looks, Tree
from policies.train.packing import Packer
from policies.train.pool import Pool
from tools.errors import UsageError


def tree(rng, prefix, branches):
    draw = lambda n: [rng.randrange(5, 250) for _ in range(n)]  # noqa: E731
    return Tree(draw(prefix), [Branch(draw(rng.randint(1, 6)), draw(rng.randint(1, 5))) for _ in range(branches)])


@pytest.fixture
def trees():
    rng = random.Random(3)
    return [tree(rng, 20, 3), tree(rng, 7, 5), tree(rng, 1, 1)]


@pytest.fixture
def packer(tiny_lm):
    return Packer(P2GConfig(text_config=tiny_lm.config))


def alone(lm, tree, branch):
    """Logits that predict the target, and the mean loss, of a branch that is a plain sequence."""
    ids = torch.tensor([[*tree.prefix, *branch.prompt, *branch.target]])
    logits = lm(ids).logits[0, -len(branch.target) - 1 : -1]
    return logits, cross_entropy(logits, torch.tensor(branch.target))


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@torch.no_grad()
def test_every_branch_of_a_tree_gets_the_logits_it_gets_alone(tiny_lm, packer, trees, attention):
    tiny_lm.set_attn_implementation(attention)
    batch = packer.collate(trees)
    mask = torch.zeros(batch.mask.shape).masked_fill_(~batch.mask, -1e30)
    logits = tiny_lm(input_ids=batch.input_ids, attention_mask=mask, position_ids=batch.position_ids).logits
    picked, number = logits[batch.labels >= 0], 0
    for one in trees:
        for branch in one.branches:
            mine = batch.owners == number
            expected, loss = alone(tiny_lm, one, branch)
            assert batch.targets[mine].tolist() == branch.target
            torch.testing.assert_close(picked[mine], expected, atol=1e-4, rtol=1e-4)
            torch.testing.assert_close(cross_entropy(picked[mine], batch.targets[mine]), loss)
            number += 1


@torch.no_grad()
def test_the_loss_of_what_learns_is_the_mean_over_the_branches_alone(base, recipe, packer, trees):
    """`Learner` keeps the special tokens' rows apart from the LM's; together they are one vocabulary."""
    from policies.config import SPECIAL_TOKENS
    from policies.train.learner import make_learner

    settings = recipe()
    learner = make_learner(settings.model, settings.instruct, base, None, "cpu").eval()
    trees[0].branches[0].target[0] = learner.old  # the first special token
    reference = LlamaForCausalLM.from_pretrained(base)
    reference.resize_token_embeddings(learner.old + len(SPECIAL_TOKENS), mean_resizing=False)
    reference.get_input_embeddings().weight[learner.old :] = learner.rows
    losses = [(alone(reference, one, b)[1], len(b.target)) for one in trees for b in one.branches]
    mean = sum(loss * count for loss, count in losses) / sum(count for _, count in losses)
    batch = packer.collate(trees)
    torch.testing.assert_close(cross_entropy(learner(batch), batch.targets), mean, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_a_branch_does_not_see_its_siblings(packer, trees):
    one = trees[0]
    alone_batch, both = packer.collate([Tree(one.prefix, one.branches[:1])]), packer.collate([one])
    size = alone_batch.input_ids.shape[1]
    assert both.input_ids[0, :size].tolist() == alone_batch.input_ids[0].tolist()
    assert not both.mask[0, 0, size:, len(one.prefix) : size].any()  # later branches
    assert not both.mask[0, 0, :size, size:].any()


def test_padding_takes_part_in_nothing(packer, trees):
    batch = packer.collate(trees)
    size = len(trees[2])
    padding = batch.mask[2, 0, :, size:]
    assert padding.sum() == batch.input_ids.shape[1] - size  # each padding position sees itself, nothing sees it
    assert (batch.labels[2, size:] == -100).all()
    assert batch.filled == sum(map(len, trees))
    assert batch.pairs == int(batch.mask.sum()) - (batch.tokens - batch.filled)


@pytest.mark.parametrize("regions", [0, 1, 4, 5, 12])
def test_the_length_of_a_tree_with_pictures_is_what_its_row_takes(protocol, regions):
    vision = {"model_type": "clip_vision_model", "image_size": 16, "patch_size": 4}
    config = P2GConfig(vision_config=vision, resampler_latents=3)
    config.image_token_id, config.region_token_id = protocol.image_id, protocol.region_id
    image = np.zeros((16, 16, 3), np.uint8)
    looks = Looks(np.zeros((regions, 16, 16, 3), np.uint8), [(0.0, 0.0, 0.5, 0.5)] * regions)
    prefix = [5, protocol.image_id, 6, *[protocol.region_id, 7] * regions]
    one = Tree(prefix, [Branch([8], [9]), Branch([8, *[protocol.region_id] * regions], [9], looks=looks)], image, looks)
    packer = Packer(config)
    batch = packer.collate([one])
    assert batch.filled == batch.tokens == packer.length(one)
    whole, region = {0: (16, 0), 1: (3, 16), 4: (3, 16), 5: (3, 3), 12: (3, 3)}[regions]
    assert packer.length(one) == 2 + regions + whole + regions * region + 2 + 2 + regions * region
    assert len(batch.visuals.blocks) == 1 + 2 * regions


def test_a_picture_for_a_model_without_a_tower_is_an_error(packer):
    one = Tree([5], [Branch([6], [7])], np.zeros((16, 16, 3), np.uint8))
    with pytest.raises(UsageError, match="no vision tower: set"):
        packer.collate([one])


@pytest.mark.parametrize("seed", range(5))
def test_groups_stay_in_the_budget_and_lose_no_tree(seed):
    rng = random.Random(seed)
    items = [[tree(rng, rng.randint(1, 150), rng.randint(1, 6)) for _ in range(rng.randint(0, 3))] for _ in range(64)]
    pool = Pool(len, 400, 16, seed)
    taken = []
    for number, trees in enumerate(items):
        pool.add(number, trees)
        while (group := pool.take()) is not None:
            assert max(map(len, group)) * len(group) <= 400
            taken += group
    names = {id(one) for trees in items for one in trees}
    assert len(taken) + len(pool.waiting) == len(names)
    assert {id(one) for one in taken} <= names
    assert len({id(one) for one in taken}) == len(taken)
    assert len(pool.waiting) < 16


def test_a_pool_that_is_put_back_gives_the_same_groups():
    rng = random.Random(1)
    items = [[tree(rng, rng.randint(1, 60), 2), tree(rng, rng.randint(1, 60), 2)] for _ in range(40)]
    pool = Pool(len, 200, 8, 5)

    def draw(pool, count):
        groups = []
        while len(groups) < count:
            group = pool.take()
            if group is None:
                pool.add(pool.next, items[pool.next])
            else:
                groups.append(group)
        return groups

    draw(pool, 3)
    other = Pool(len, 200, 8, 99)
    for item in other.load(pool.state()):
        other.refill(item, items[item])
    assert draw(other, 9) == draw(pool, 9)


def test_a_tree_over_the_budget_is_left_out_and_counted():
    rng = random.Random(0)
    pool = Pool(len, 100, 1, 0)
    pool.add(0, [tree(rng, 500, 1), tree(rng, 5, 1)])
    assert [len(group) for group in iter(pool.take, None)] == [1]
    assert pool.too_long == 1
