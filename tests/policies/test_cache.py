"""Prefixes with pictures are encoded once: what a cache gives equals what the whole prompt gives."""

import numpy as np
import pytest
import torch

from policies import cache as cache_module
from policies.cache import CachedModel, cut
from policies.data.tree import Looks
from policies.visuals import Pictures
from tools.errors import UsageError

REGION, IMAGE, SIDE, END = 62, 63, 28, 59


def picture(seed, *shape):
    return np.random.default_rng(seed).integers(0, 256, (*shape, SIDE, SIDE, 3), dtype=np.uint8)


def prompt(model, ids, image=None, shown=0, seed=1):
    """Expanded ids and visuals of one context."""
    pictures = Pictures(model.config)
    boxes = [(0.1 * n, 0.1, 0.1 * n + 0.3, 0.6) for n in range(shown)]
    whole = None if image is None else pictures.add(image)
    expanded, _ = pictures.expand(ids, whole, Looks(picture(seed, shown), boxes))
    return expanded, pictures.visuals()


@torch.no_grad()
def whole(model, *parts):
    """Logits after the last token of prompts put together, without a cache."""
    embeds = [model.embed(torch.tensor([ids]), visuals=visuals, complete=False) for ids, visuals in parts]
    return model(inputs_embeds=torch.cat(embeds, dim=1)).logits[0, -1]


def encodings(model):
    """Pictures that the tower encodes from now on, and tokens that the language model computes."""
    seen = {"pictures": 0, "tokens": 0}
    model.vision_tower.register_forward_pre_hook(lambda m, args: seen.update(pictures=seen["pictures"] + len(args[0])))

    def count(module, args, kwargs):
        seen["tokens"] += kwargs["inputs_embeds"].shape[1]

    model.language_model.base_model.register_forward_pre_hook(count, with_kwargs=True)
    return seen


@pytest.mark.parametrize("pathway", ["crop", "roi_align"])
def test_several_questions_about_one_picture_encode_it_once(make_tiny, pathway):
    model = make_tiny(region_pathway=pathway)
    ids, visuals = prompt(model, [5, IMAGE, 6, 10, REGION, 11, REGION, 7], picture(0), 2)
    runner, seen = CachedModel(model), encodings(model)
    for question in ([20, 21], [22, 23, 24], [20, 25]):
        cache, _ = runner.prefix(ids, visuals)
        got = runner.run(cache, question)
        torch.testing.assert_close(got, whole(model, (ids, visuals), (question, None)), atol=1e-4, rtol=1e-4)
    tokens, pictures = len(ids) + 7, 1 if pathway == "roi_align" else 3
    seen.update(pictures=0, tokens=0)
    runner.forget()
    for question in ([20, 21], [22, 23, 24], [20, 25]):
        runner.run(runner.prefix(ids, visuals)[0], question)
    assert seen == {"pictures": pictures, "tokens": tokens}


@pytest.mark.parametrize("pathway", ["crop", "roi_align", "hybrid"])
def test_an_appended_focus_turn_equals_the_whole_prompt(make_tiny, pathway):
    model = make_tiny(region_pathway=pathway, hybrid_min_cells=1.5)
    runner = CachedModel(model)
    ids, visuals = prompt(model, [5, IMAGE, 6], picture(0))
    cache, _ = runner.prefix(ids, visuals)
    runner.run(cache, [20, 21, 61])
    first = prompt(model, [10, REGION, 12], picture(0), 1)
    focus, more = prompt(model, [11, REGION, 12, REGION, 13], picture(0), 2, seed=5)
    runner.run(cache, *first)
    got = runner.run(cache, focus, more)
    expected = whole(model, (ids, visuals), ([20, 21, 61], None), first, (focus, more))
    torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)


def test_features_may_stand_for_the_picture_in_a_later_turn(make_tiny):
    model = make_tiny(region_pathway="roi_align")
    runner, box = CachedModel(model), (0.1, 0.2, 0.6, 0.9)
    with torch.no_grad():
        features = model.vision_features(torch.from_numpy(picture(0)[None]))[0]
    results = []
    for image in (picture(0), features):
        pictures = Pictures(model.config)
        number = pictures.add(image)
        prefix, _ = pictures.expand([IMAGE], number)
        later = Pictures(model.config)
        focus, _ = later.expand([REGION, 8], later.add(image), Looks(picture(0, 0), [box]))
        cache, _ = runner.prefix(prefix, pictures.visuals())
        results.append(runner.run(cache, focus, later.visuals()))
    torch.testing.assert_close(*results, atol=1e-5, rtol=1e-5)


def test_a_prefix_shares_what_it_has_in_common_with_a_kept_one_and_no_more(make_tiny):
    model = make_tiny()
    runner = CachedModel(model)
    first, visuals = prompt(model, [5, 6, IMAGE, 7, 8], picture(0))

    def shared(ids, visuals):
        cache, computed_before = runner.prefix(ids, visuals)
        expected = whole(model, (ids, visuals), ([30], None))
        torch.testing.assert_close(runner.run(cache, [30]), expected, atol=1e-4, rtol=1e-4)
        return computed_before

    assert shared(first, visuals) == 0
    assert shared(first, visuals) == len(first)
    assert shared([*first[:-1], 9, 9], visuals) == len(first) - 1
    assert shared(first[:-2], visuals) == len(first) - 2
    assert shared(*prompt(model, [5, 6, IMAGE, 7, 8], picture(1))) == 2  # another picture: only the text before it
    # resampled now: the same picture at other positions shares nothing but the text before it
    assert shared(*prompt(model, [5, 6, IMAGE, 7, 10, REGION], picture(0), 1)) == 2
    # the picture and the first region are the same, the second is not
    assert shared(*prompt(model, [5, 6, IMAGE, 7, 10, REGION, 10, REGION], picture(0), 2, seed=1)) == 2 + 3 + 2 + 16
    assert shared([40], None) == 0


def test_a_picture_that_differs_only_late_is_never_shared_in_part(make_tiny):
    model = make_tiny()
    runner = CachedModel(model)
    one, visuals = prompt(model, [IMAGE, 10, REGION, REGION], picture(0), 2, seed=3)
    runner.prefix(one, visuals)
    other = visuals.since(0)
    other.pictures = other.pictures.clone()
    other.pictures[-1] = 255 - other.pictures[-1]  # the last region
    cache, shared = runner.prefix(one, other)
    assert shared == len(one) - 16
    torch.testing.assert_close(runner.run(cache, [9]), whole(model, (one, other), ([9], None)), atol=1e-4, rtol=1e-4)


def test_kept_prefixes_are_few_and_a_given_cache_is_its_own(make_tiny):
    model = make_tiny()
    runner = CachedModel(model, kept=2)
    first = prompt(model, [IMAGE], picture(0))
    cache, _ = runner.prefix(*first)
    before = runner.run(runner.prefix(*first)[0], [9])
    runner.run(cache, [20, 21, 22])
    assert torch.equal(runner.run(runner.prefix(*first)[0], [9]), before)
    for seed in (1, 2):
        runner.prefix(*prompt(model, [IMAGE], picture(seed)))
    assert runner.prefix(*first)[1] == 0


def test_options_are_scored_as_each_would_be_alone(make_tiny):
    model = make_tiny()
    runner = CachedModel(model)
    ids, visuals = prompt(model, [5, IMAGE, 10, REGION, 7], picture(0), 1)
    cache, _ = runner.prefix(ids, visuals)
    first = runner.run(cache, [20])
    length = cache.get_seq_length()
    options = [[30], [31, 32, 33], [31, 34]]
    for end in (None, END):
        expected = []
        for option in options:
            tokens = option if end is None else [*option, end]
            scores = [
                whole(model, (ids, visuals), ([20, *tokens[:n]], None)).log_softmax(-1)[token]
                for n, token in enumerate(tokens)
            ]
            expected.append(float(sum(scores)))
        assert runner.score(first, cache, options, end) == pytest.approx(expected, abs=1e-3)
    assert cache.get_seq_length() == length


def test_writing_is_greedy_and_stops_at_the_end_token(make_tiny):
    model = make_tiny()
    runner = CachedModel(model)
    ids, visuals = prompt(model, [5, IMAGE, 7], picture(0))
    expected = model.generate(torch.tensor([ids]), visuals=visuals, max_new_tokens=5, do_sample=False)[0, len(ids) :]
    cache, _ = runner.prefix(ids[:-1], visuals)
    made, score, _ = runner.write(runner.run(cache, ids[-1:]), cache, stops=(), limit=5)
    assert made == expected.tolist()
    assert score < 0
    cache, _ = runner.prefix(ids[:-1], visuals)
    stop = made.index(made[2])
    assert runner.write(runner.run(cache, ids[-1:]), cache, stops=(END, made[2]), limit=5)[0] == made[:stop]
    cache, _ = runner.prefix(ids[:-1], visuals)
    assert not {*made} & {*runner.write(runner.run(cache, ids[-1:]), cache, (), 5, forbidden=made)[0]}


def test_the_content_of_a_picture_is_hashed_once_for_a_prefix(make_tiny, monkeypatch):
    hashed, digest = [], cache_module._digest
    monkeypatch.setattr(cache_module, "_digest", lambda picture: hashed.append(1) or digest(picture))
    model = make_tiny()
    CachedModel(model).prefix(*prompt(model, [5, IMAGE, 10, REGION], picture(0), 1))
    assert len(hashed) == 2  # the picture and its region


def test_a_cache_is_cut_to_any_length(make_tiny):
    runner = CachedModel(make_tiny())
    for length in (0, 2, 4, 9):
        cache, _ = runner.prefix([5, 6, 7, 8])
        assert cut(cache, length).get_seq_length() == min(length, 4)


def test_unexpanded_placeholders_are_a_clear_error(make_tiny):
    model = make_tiny()
    _, visuals = prompt(model, [5, IMAGE], picture(0))
    with pytest.raises(UsageError, match="take 16 positions, not 1"):
        CachedModel(model).prefix([5, IMAGE], visuals)
