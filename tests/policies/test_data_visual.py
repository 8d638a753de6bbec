"""Trees made from scenes: what stands in prompts is what the pictures show, and targets are what a person would say."""

import random

import numpy as np
import pytest
from PIL import Image

from policies.data import visual_experts, visual_scene
from policies.data.page import Line, Page
from policies.data.reading import misread
from policies.data.scenes import kinds, make_scene
from policies.data.scenes.assets import Assets
from policies.data.scenes.scene import ABSENT, Scene, SceneQuestion, Thing, held_out
from policies.data.tree import ANY
from policies.data.visual_align import AlignSettings, SceneAlign
from policies.data.visual_deliberate import Deliberate, items_of
from policies.data.visual_experts import HELD_OUT_PLUGINS, at_hand
from policies.data.visual_focus import Faults, ground
from policies.data.visual_instruct import InstructSettings, SceneInstruct
from policies.data.visual_names import Named, about, names_of, overlap
from policies.data.visual_scene import HELD_OUT, Optics, SeenScene, load_scene
from policies.data.visual_words import SceneWords, WordsSettings
from policies.text.protocol import to_text
from tools.errors import UsageError

SCENES = (0, 3, 5)
OPTICS = Optics(side=32)


@pytest.fixture(scope="module")
def assets():
    return Assets.load()


@pytest.fixture(scope="module")
def instruct(protocol):
    """A source and the trees of a few scenes, focus turns appended in each."""
    source = SceneInstruct(protocol, OPTICS, InstructSettings(append=1.0))
    made = {index: source.trees(index) for index in SCENES}
    return source, [tree for trees in made.values() for tree in trees], made


@pytest.fixture(scope="module")
def align(protocol):
    source = SceneAlign(protocol, OPTICS, AlignSettings(seed=0))
    return source, [tree for index in SCENES for tree in source.trees(index)]


def said(protocol, ids):
    return to_text(protocol.tokenizer, ids)


def everything(trees):
    """Trees as plain values."""
    return [
        (t.prefix, t.image.tobytes(), t.looks and (t.looks.crops.tobytes(), t.looks.boxes), [
            (b.prompt, b.target, b.kind, b.looks and b.looks.crops.tobytes()) for b in t.branches])
        for t in trees
    ]  # fmt: skip


@pytest.mark.parametrize(("which", "kind"), [("instruct", SceneInstruct), ("align", SceneAlign)])
def test_an_item_gives_the_same_trees_whenever_and_wherever_it_is_asked_for(protocol, which, kind, request):
    source, trees, *_ = request.getfixturevalue(which)
    again = kind(protocol, OPTICS, source.settings).trees(SCENES[-1])
    assert everything(again) == everything(trees[-len(again) :])
    assert everything(again) != everything(trees[: len(again)])


@pytest.mark.parametrize("which", ["instruct", "align"])
def test_there_is_one_picture_for_every_placeholder(protocol, which, request):
    for tree in request.getfixturevalue(which)[1]:
        assert tree.prefix.count(protocol.image_id) == 1
        assert tree.image.shape == (32, 32, 3)
        assert tree.image.dtype == np.uint8
        for ids, looks in [(tree.prefix, tree.looks), *((b.prompt, b.looks) for b in tree.branches)]:
            assert ids.count(protocol.region_id) == (len(looks) if looks else 0)
            if looks:
                assert looks.crops.shape == (len(looks), 32, 32, 3)
                assert all(0 <= value <= 1 for box in looks.boxes for value in box)
        for branch in tree.branches:
            assert protocol.image_id not in branch.prompt
            assert not {protocol.image_id, protocol.region_id} & set(branch.target)


def test_a_region_stands_at_its_place_in_the_square_that_the_picture_is_padded_to():
    wide, high = Image.new("RGB", (400, 200)), Image.new("RGB", (100, 200))
    assert OPTICS.looks(wide, [(0, 0, 400, 200)]).boxes == [(0.0, 0.25, 1.0, 0.75)]
    assert OPTICS.looks(high, [(50, 100, 100, 200)]).boxes == [(0.5, 0.5, 0.75, 1.0)]


def test_targets_are_answers_of_the_scene_and_stand_once_among_the_options(protocol, instruct):
    for index, trees in instruct[2].items():
        scene = make_scene(index)
        questions = {question.text: question for question in scene.questions}
        for branch in (branch for tree in trees for branch in tree.branches):
            text = said(protocol, branch.prompt).rpartition("Question: ")[2]
            asked, _, listed = text.partition("<|im_end|>")[0].partition("\nOptions: ")
            target = said(protocol, branch.target)
            assert target.endswith("<|im_end|>")
            if asked not in questions or target.startswith("<|call|>"):
                continue
            answer = target.removeprefix("<|answer|>").removesuffix("<|im_end|>").strip()
            question = questions[asked]
            if listed:
                assert sorted(set(listed.split("; "))) == sorted(listed.split("; "))
                assert listed.split("; ").count(answer) == 1
                assert set(listed.split("; ")) <= set(question.options)
            elif branch.kind not in ("blind", "absent") and question.track == "object":
                assert answer == question.answer
            if branch.kind == "absent":
                assert answer == ABSENT


def test_without_faults_the_regions_of_a_focus_turn_hold_the_things_that_a_question_rests_on(protocol, assets):
    names = names_of(assets)
    checked = 0
    for seed in (0, 1):
        seen = load_scene("object-scenes", seed, OPTICS, assets)
        for question in seen.scene.questions:
            both = about(question, seen.scene, names)
            assert both is not None
            for one in both:
                found = ground(one.names, seen, random.Random(0), Faults.none(), set(), 99)
                assert all(any(overlap(box, other) > 0.9 for other in found.boxes) for box in question.evidence)
                named = {line.label for line in found.lines}
                assert named == set(map(str, one.names))
                checked += 1
    assert checked > 20


def test_what_is_not_there_or_was_overlooked_is_said_to_be_not_found(assets):
    seen = load_scene("object-scenes", 0, OPTICS, assets)
    thing = seen.objects[0]
    blind = Faults(jitter=0.0, overlooked=1.0, mistaken=0.0, colour_blind=0.0)
    group = {id(t) for t in seen.objects if t.name == thing.name}
    found = ground([Named(thing.name)], seen, random.Random(0), blind, set(), 16)
    assert [line.box for line in found.lines] == [None]
    assert found.lost == group
    kept = ground([Named(thing.name)], seen, random.Random(0), blind, group, 16)
    assert len(kept.boxes) == len(group)
    assert not kept.lost


def test_a_question_whose_things_were_overlooked_is_answered_not_in_the_image(protocol, assets):
    blind = Faults(overlooked=1.0, mistaken=0.0, colour_blind=0.0)
    kinds = set()
    for seed in (0, 1):
        seen = load_scene("object-scenes", seed, OPTICS, assets)
        items = items_of(seen, names_of(assets), {}.get)
        turns = Deliberate(protocol, seen, items, random.Random(0), blind)
        for item in items:
            if item.question.kind in ("attribute", "relation") and not item.question.visible_at_thumbnail:
                turn = turns.turn([(item, False)])
                context = protocol.context([], [], turn.found.lines, image=True)
                kinds |= {branch.kind for branch in turns.branches(item, False, turn, context)}
    assert kinds == {"absent"}


def test_dense_scenes_ask_much_more_of_each_focus_turn_and_only_training_has_the_questions(protocol):
    usual, dense = (
        [tree for index in SCENES for tree in source.trees(index)]
        for source in (
            SceneInstruct(protocol, OPTICS, InstructSettings("object-scenes", dense=more, decide=False))
            for more in (False, True)
        )
    )
    per_tree = [sum(len(tree.branches) for tree in trees) / len(trees) for trees in (usual, dense)]
    assert per_tree[1] > 1.5 * per_tree[0]
    assert max(len(tree.looks) for tree in dense if tree.looks) <= 16
    scene, unseen = make_scene(0, "train", "objects"), make_scene(0, "unseen", "objects")
    assert len(scene.more) > 2 * len(scene.questions)
    texts = [question.text.casefold() for question in [*scene.questions, *scene.more]]
    assert len(set(texts)) == len(texts)
    assert unseen.more == []


def test_calls_name_experts_at_hand_and_the_things_of_the_question(protocol, instruct):
    calls = 0
    for tree in instruct[1]:
        head = said(protocol, tree.prefix)
        listed = {
            line.partition(":")[0] for line in head.partition("Experts:\n")[2].partition("<|im_end|>")[0].split("\n")
        }
        for branch in tree.branches:
            target = said(protocol, branch.target)
            if target.startswith("<|call|>"):
                calls += 1
                for line in target.removeprefix("<|call|>").removesuffix("<|im_end|>").split("\n"):
                    name, colon, _ = line.partition(":")
                    assert colon
                    assert name in listed
    assert calls > 20


def test_an_appended_focus_turn_follows_its_call_and_asks_again(protocol, instruct):
    appended = [b for tree in instruct[1] for b in tree.branches if protocol.call_id in b.prompt]
    assert appended
    for branch in appended:
        text = said(protocol, branch.prompt)
        first, _, rest = text.partition("<|im_end|>")
        assert rest.count(first) == 1  # the same question once more
        assert "<|call|>" in rest
        assert "<|im_start|>user\n" in rest
        assert branch.target[0] == protocol.answer_id


def test_labels_of_forced_runs_replace_the_first_guess(protocol):
    plain = SceneInstruct(protocol, OPTICS, InstructSettings(deliberate=False, append=0.0))
    keys = {f"scenes/3/{number}": False for number in range(20)}
    told = SceneInstruct(protocol, OPTICS, InstructSettings(deliberate=False, append=0.0), keys)
    kinds = [{b.kind for tree in source.trees(3) for b in tree.branches} for source in (plain, told)]
    assert "call" in kinds[0]
    assert "call" not in kinds[1]
    assert plain.digest() != told.digest()


def test_held_out_plug_ins_are_never_seen_in_training(protocol, instruct):
    shown = [name for seed in range(400) for name in at_hand(random.Random(seed)).listed]
    texts = {description for _, description in shown} | {name for name, _ in shown}
    prompts = " ".join(said(protocol, [*t.prefix, *(i for b in t.branches for i in b.prompt)]) for t in instruct[1])
    for kind in HELD_OUT_PLUGINS:
        assert not texts & {*kind.names, *kind.descriptions}
        assert not any(words in prompts for words in (*kind.descriptions, *kind.questions))
        assert not any(set(kind.questions) & set(other.questions) for other in visual_experts.PLUGINS)


def test_only_train_scenes_with_kinds_of_that_split_are_used(protocol, monkeypatch, align, instruct):
    splits = []

    def spy(seed, split, *args):
        splits.append(split)
        return make_scene(seed, split, *args)

    monkeypatch.setattr(visual_scene, "make_scene", spy)
    for source in (align[0], instruct[0]):
        source.trees(6)
    assert splits == ["train", "train"]
    text = " ".join(said(protocol, t.prefix) for t in instruct[1])
    labels = {line.partition(" <|region|>")[0] for line in text.split("\n") if "<|region|>" in line}
    kinds = {kind for label in labels if (kind := names_of(instruct[0].assets).exact(label))} - {Named(ANY)}
    assert kinds
    assert not any(held_out(kind.kind) for kind in kinds)


def test_scenes_kept_for_checks_are_refused(protocol):
    with pytest.raises(UsageError, match=r"scene 50000000 is not for training"):
        SceneInstruct(protocol, OPTICS, InstructSettings(seed=HELD_OUT)).trees(0)


def test_a_hash_of_settings_changes_with_each_of_them(protocol):
    made = [
        SceneInstruct(protocol, OPTICS),
        SceneInstruct(protocol, Optics(side=64)),
        SceneInstruct(protocol, OPTICS, InstructSettings(append=0.5)),
        SceneInstruct(protocol, OPTICS, InstructSettings(faults=Faults.none())),
        SceneAlign(protocol, OPTICS),
        SceneAlign(protocol, OPTICS, AlignSettings(crops=2)),
    ]
    assert len({source.digest() for source in made}) == len(made)
    assert SceneInstruct(protocol, OPTICS).digest() == made[0].digest()


def test_names_are_found_with_colour_and_in_the_plural(assets):
    names = names_of(assets)
    assert names.find("How many blue seals are there?") == [Named("seal", "blue")]
    assert names.find("Which is there more of: teddy bears or books?") == [Named("teddy bear"), Named("book")]
    assert names.find("In what colour is the picture shown?") == []
    assert names.exact("red book") == Named("book", "red")
    assert names.exact("red books on a shelf") is None


def test_align_says_of_a_crop_what_the_scene_holds_there(protocol, align, assets):
    kinds = set(assets.kinds("train"))
    named = 0
    for tree in align[1]:
        for branch in tree.branches:
            answer = said(protocol, branch.target[1:-1]).strip()
            if branch.kind == "kind" and answer != "text":
                named += 1
                assert any(answer == kind or answer.endswith(f" {kind}") for kind in kinds)
            if branch.kind == "is it":
                assert answer in ("yes", "no")
    assert named > 10


def test_a_seen_scene_cuts_boxes_to_the_picture(assets):
    seen = load_scene("scenes", 0, OPTICS, assets)
    assert isinstance(seen, SeenScene)
    width, height = seen.size
    for seed in range(50):
        x1, y1, x2, y2 = seen.jittered((0, 0, 20, 20), random.Random(seed), 0.5)
        assert 0 <= x1 < x2 <= width
        assert 0 <= y1 < y2 <= height


def test_a_bar_without_its_number_is_not_asked_of_an_expert_that_reads(assets):
    picture = Image.new("RGB", (100, 100))
    bar, day = Thing("bar", (10, 10, 20, 90)), Thing("text", (10, 91, 20, 99), text="Sat")
    legend = Thing("text", (50, 1, 90, 9), text="2021")
    value = Thing("text", (10, 1, 20, 9), text="57")
    for things, reachable in (([bar, day, legend], False), ([bar, day, legend, value], True)):
        text, boxes = 'What is it for Sat in "2021"?', tuple(thing.box for thing in things)
        asked = SceneQuestion(text, "57", ("57", "60", "40", "20"), boxes, "lookup", "text")
        assert bool(about(asked, Scene("chart", picture, things), names_of(assets))) == reachable


def test_upright_lines_side_by_side_are_never_read_as_one():
    page = Page(1000, 1000, None)
    page.lines = [Line(f"The Silent Book {n}", (100.0 + 60 * n, 100.0, 140.0 + 60 * n, 900.0)) for n in range(8)]
    for seed in range(20):
        assert len(misread(page, random.Random(seed)).lines) == 8


def test_the_word_of_a_page_comes_without_its_article(protocol):
    seed = next(n for n in range(999) if random.Random(f"kind:{n}").choice(kinds("text")) == "invoice")
    tree = SceneWords(protocol, OPTICS, WordsSettings(track="text-scenes", seed=seed)).trees(0)[-1]
    assert said(protocol, tree.branches[0].target) == " invoice"
