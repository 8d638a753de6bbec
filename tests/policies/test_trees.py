"""Training trees: a branch in a tree is worth exactly what it is alone, and batching loses nothing."""

import random

import pytest
import torch
from torch.nn.functional import cross_entropy

from policies.data.tree import Branch, Tree
from policies.train.trees import batches, collate


def tree(rng, prefix, branches):
    draw = lambda n: [rng.randrange(5, 250) for _ in range(n)]  # noqa: E731
    return Tree(draw(prefix), [Branch(draw(rng.randint(1, 6)), draw(rng.randint(1, 5))) for _ in range(branches)])


@pytest.fixture
def trees():
    rng = random.Random(3)
    return [tree(rng, 20, 3), tree(rng, 7, 5), tree(rng, 1, 1)]


def alone(lm, tree, branch):
    """Logits that predict the target, and the mean loss, of a branch that is a plain sequence."""
    ids = torch.tensor([[*tree.prefix, *branch.prompt, *branch.target]])
    logits = lm(ids).logits[0, -len(branch.target) - 1 : -1]
    return logits, cross_entropy(logits, torch.tensor(branch.target))


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@torch.no_grad()
def test_every_branch_of_a_tree_gets_the_logits_it_gets_alone(tiny_lm, trees, attention):
    tiny_lm.set_attn_implementation(attention)
    batch = collate(trees)
    mask = torch.zeros(batch.mask.shape).masked_fill_(~batch.mask, -1e30)
    logits = tiny_lm(input_ids=batch.input_ids, attention_mask=mask, position_ids=batch.position_ids).logits
    for row, one in enumerate(trees):
        wanted = (batch.labels[row] >= 0).nonzero().flatten()
        at = 0
        for branch in one.branches:
            places = wanted[at : at + len(branch.target)]
            at += len(branch.target)
            expected, loss = alone(tiny_lm, one, branch)
            assert batch.labels[row, places].tolist() == branch.target
            torch.testing.assert_close(logits[row, places], expected, atol=1e-4, rtol=1e-4)
            torch.testing.assert_close(cross_entropy(logits[row, places], batch.labels[row, places]), loss)
        assert at == len(wanted)


@torch.no_grad()
def test_the_loss_of_the_trained_model_is_the_mean_over_the_branches_alone(tmp_path, tiny_lm, trees):
    """`TextModel` keeps the special tokens' rows apart from the LM's; together they are one vocabulary."""
    from policies.config import SPECIAL_TOKENS
    from policies.train.text import TextModel

    old = tiny_lm.config.vocab_size
    tiny_lm.save_pretrained(tmp_path)
    trees[0].branches[0].target[0] = old  # the first special token
    model = TextModel(tmp_path, rank=2).float().eval()
    reference = type(tiny_lm).from_pretrained(tmp_path, dtype=torch.bfloat16).float().eval()
    reference.resize_token_embeddings(old + len(SPECIAL_TOKENS), mean_resizing=False)
    reference.get_input_embeddings().weight[old:] = model.rows
    losses = [(alone(reference, one, b)[1], len(b.target)) for one in trees for b in one.branches]
    mean = sum(loss * count for loss, count in losses) / sum(count for _, count in losses)
    torch.testing.assert_close(model(collate(trees)), mean, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_a_branch_does_not_see_its_siblings(tiny_lm, trees):
    one = trees[0]
    alone_batch, both = collate([Tree(one.prefix, one.branches[:1])]), collate([one])
    size = alone_batch.input_ids.shape[1]
    assert both.input_ids[0, :size].tolist() == alone_batch.input_ids[0].tolist()
    assert not both.mask[0, 0, size:, len(one.prefix) : size].any()  # later branches
    assert not both.mask[0, 0, :size, size:].any()


def test_labels_are_the_targets_alone(trees):
    batch = collate(trees)
    assert int((batch.labels >= 0).sum()) == sum(len(b.target) for one in trees for b in one.branches)


def test_padding_takes_part_in_nothing(trees):
    batch = collate(trees)
    size = len(trees[2])
    padding = batch.mask[2, 0, :, size:]
    assert padding.sum() == batch.input_ids.shape[1] - size  # each padding position sees itself, nothing sees it
    assert (batch.labels[2, size:] == -100).all()


@pytest.mark.parametrize("seed", range(5))
def test_batches_stay_in_the_budget_and_lose_no_tree(seed):
    rng = random.Random(seed)
    trees = [tree(rng, rng.randint(1, 150), rng.randint(1, 6)) for _ in range(150)]
    budget = 400
    made = list(batches(iter(trees), budget, seed, pool=16))
    assert all(batch.tokens <= budget for batch in made)
    targets = lambda items: sorted(t for one in items for b in one.branches for t in b.target)  # noqa: E731
    assert sum(len(batch.input_ids) for batch in made) == len(trees)
    assert sorted(int(label) for batch in made for label in batch.labels[batch.labels >= 0]) == targets(trees)


def test_a_tree_over_the_budget_is_left_out():
    rng = random.Random(0)
    made = list(batches([tree(rng, 500, 1), tree(rng, 5, 1)], 100, 0))
    assert [len(batch.input_ids) for batch in made] == [1]
