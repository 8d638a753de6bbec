"""Training of nano Grounding DINO at tiny size: the truth it is given, the model it builds, learning and resuming."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from policies.data.scenes.assets import Assets
from policies.data.scenes.colours import COLOURS
from policies.data.scenes.scene import held_out
from policies.grounding import calibrate as calibration
from policies.grounding import prepare as preparation
from policies.grounding.batches import Batches
from policies.grounding.configuration import Recipe, load_recipe
from policies.grounding.judging import Answered, Hit
from policies.grounding.more import more
from policies.grounding.mosaics import Item, Painter, grounds
from policies.grounding.phrases import ASKED, NO, THING, UNSAID, YES, Asker
from policies.grounding.sprites import Bank, Kind, Sprite, clash, load_bank, trained_kinds
from policies.grounding.text import START, STOP, Meanings, encode, teach
from tools import Call, Picture, Runner, UsageError
from tools.errors import P2GError
from tools.ground import Ground
from tools.grounded import FILE, Habits

torch = pytest.importorskip("torch")
RECIPE = load_recipe("tiny")


@pytest.fixture(scope="module")
def bank():
    return load_bank(limit=RECIPE.kinds)


@pytest.fixture(scope="module")
def tokenizer(bank, tmp_path_factory):
    """A BERT vocabulary of whole words, special tokens where Grounding DINO wants them."""
    from transformers import BertTokenizerFast

    vocabulary = [f"[unused{i}]" for i in range(1100)]
    words = sorted({word for kind in bank.kinds for name in (kind.name, *kind.words) for word in name.lower().split()})
    colours = [*COLOURS, "gray"]
    fixed = {0: "[PAD]", 100: "[UNK]", 101: "[CLS]", 102: "[SEP]", 103: "[MASK]", 1012: ".", 1029: "?"}
    for index, word in {**fixed, **dict(enumerate([*words, *colours], 1030))}.items():
        vocabulary[index] = word
    path = tmp_path_factory.mktemp("vocabulary") / "vocab.txt"
    path.write_text("\n".join(vocabulary))
    return BertTokenizerFast(vocab=str(path), do_lower_case=True)


@pytest.fixture(scope="module")
def prepared(bank, tokenizer, tmp_path_factory):
    """What `prepare.py` makes, with random meanings in place of a sentence-embedding model's."""
    from transformers import BertModel

    from policies.grounding.prepare import TEXT, save_text, text_config

    folder = tmp_path_factory.mktemp("prepared")
    width = RECIPE.shape.d_model
    rng = np.random.default_rng(0)
    names = [word for kind in bank.kinds for word in (kind.name, *kind.words)]
    vectors, hues = rng.standard_normal((len(names), width)), rng.standard_normal((11, width))
    lexicon = Meanings(names, vectors, hues)
    torch.manual_seed(0)
    student = BertModel(text_config(RECIPE.shape, len(tokenizer)), add_pooling_layer=False)
    said = []
    head = teach(student, tokenizer, lexicon, None, RECIPE.text_steps, 0, said.append)
    save_text(student, head, tokenizer, folder / TEXT)
    (folder / "said").write_text(json.dumps(said))
    return folder


def run_of(prepared, recipe=RECIPE):
    from policies.grounding.train import Run

    return Run(recipe, prepared, None, None, "cpu")


@pytest.fixture(scope="module")
def trained(prepared, tmp_path_factory):
    """A run of the whole tiny recipe: its folder and its log."""
    out = tmp_path_factory.mktemp("trained")
    assert run_of(prepared).go(out)
    return out, [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def test_no_kind_kept_for_unseen_scenes_is_trained_on():
    kinds = load_bank(limit=80).kinds
    assert len(kinds) == 80
    assert not any(held_out(kind.name) for kind in kinds)
    unseen = set(Assets.load().kinds("unseen"))
    assert not {kind.name for kind in kinds} & unseen
    assert clash("Old key", {"key"})
    assert clash("orange-book", {"book"})
    assert clash("keys", {"key"})
    assert not clash("keyboard", {"key"})


def test_no_training_name_has_the_name_of_an_unseen_kind_in_it():
    assets = Assets.load()
    unseen = [word for name in assets.kinds("unseen") for word in (name, *assets.kind(name).synonyms)]
    kept = trained_kinds(assets)
    assert not [word for name in kept for word in (name, *assets.kind(name).synonyms) if clash(word, unseen)]
    left_out = set(assets.kinds("train")) - set(kept)
    assert left_out == {"police car", "racing car", "railway car", "circus tent", "barrel"}
    assert [kind.name for kind in load_bank(limit=80).kinds] == kept[:80]


def test_a_canvas_is_the_same_each_time_and_its_boxes_hold_what_was_drawn(bank):
    backdrops = np.full((1, 448, 448, 3), 128, np.uint8)
    painter = Painter(bank, backdrops, 3)
    one, same = painter.draw(5, 160), Painter(bank, backdrops, 3).draw(5, 160)
    assert (one.pixels == same.pixels).all()
    assert one.items == same.items
    assert not (one.pixels == painter.draw(6, 160).pixels).all()
    items = [item for number in range(20) for item in painter.draw(number, 160).items]
    assert len(items) > 40
    for item in items:
        x1, y1, x2, y2 = item.box
        assert 0 <= x1 < x2 <= 160
        assert 0 <= y1 < y2 <= 160
        assert max(x2 - x1, y2 - y1) >= 8


def test_backdrops_come_from_the_training_split_and_the_seed():
    assert (grounds(2, 4) == grounds(2, 4)).all()
    assert not (grounds(1, 4) == grounds(1, 5)).all()


def test_phrases_mean_what_is_there_in_that_colour(tokenizer):
    names = ["cup", "car", "owl"]
    kinds = [Kind(name, (), frozenset({"same"}) if name != "owl" else frozenset(), True) for name in names]
    pixels = np.zeros((8, 8, 4), np.uint8)
    asker = Asker(Bank(kinds, [Sprite(pixels, 0)]), tokenizer, np.eye(3))
    cup, painted, nameless = (Item(0, kind, hue, (0, 0, 9, 9)) for kind, hue in ((0, ""), (0, "red"), (-1, "")))
    assert asker._means(0, "", cup) == YES
    assert asker._means(2, "", cup) == NO
    assert asker._means(1, "", cup) == UNSAID  # one family: a person could take one for the other
    assert asker._means(2, "", nameless) == UNSAID
    assert asker._means(0, "red", painted) == YES
    assert asker._means(0, "blue", painted) == NO
    assert asker._means(0, "orange", painted) == UNSAID  # near red
    assert asker._means(0, "red", cup) == UNSAID  # its own colour is nobody's word
    assert asker._means(THING, "", cup) == asker._means(THING, "", nameless) == YES


def test_prompts_ask_for_things_there_and_not_there(bank, tokenizer):
    asker = Asker(bank, tokenizer, np.random.default_rng(0).standard_normal((len(bank.kinds), 16)))
    items = [Item(0, 0, "", (0, 0, 9, 9)), Item(1, 1, "red", (0, 0, 9, 9))]
    prompts = [asker.ask(np.random.default_rng(seed), items) for seed in range(60)]
    everything = [prompt for prompt in prompts if asker.any[0] in prompt.ids]
    assert ASKED / 2 < len(everything) / len(prompts) < 2 * ASKED
    for prompt in everything:
        assert (prompt.means[prompt.phrase_of[prompt.ids.index(asker.any[0])]] == YES).all()
    assert any((prompt.means == YES).any() for prompt in prompts)
    assert any((prompt.means == NO).all(axis=1).any() for prompt in prompts)
    for prompt in prompts:
        assert prompt.ids[0] == START
        assert len(prompt.ids) == len(prompt.phrase_of) <= 64
        assert all(
            (token == STOP) <= (phrase == -1) for token, phrase in zip(prompt.ids, prompt.phrase_of, strict=True)
        )
        assert set(prompt.phrase_of) - {-1} == set(range(len(prompt.means)))


def test_the_text_encoder_learns_and_keeps_phrases_apart(prepared, tokenizer):
    from policies.grounding.prepare import TEXT, load_text

    said = [float(line.split("loss ")[1].split(",")[0]) for line in json.loads((prepared / "said").read_text())]
    assert said[-1] < 0.8 * said[0]
    text, _, _ = load_text(prepared / TEXT)

    def vector(words: list[list[int]], which: int):
        row = [START]
        for word in words:
            row += [*word, STOP]
        at = 1 + sum(len(word) + 1 for word in words[:which])
        return encode(text, torch.tensor([[*row, 102]]))[0, at]

    one, other = [1040], [1035]
    alone = vector([one], 0)
    assert torch.allclose(alone, vector([other, one], 1), atol=1e-5)
    assert not torch.allclose(alone, vector([other], 0), atol=1e-2)


def test_the_forward_pass_in_parts_is_that_of_transformers(prepared):
    from policies.grounding.batches import ahead
    from policies.grounding.model import propose, refine, still

    run = run_of(prepared)
    run.trainer.enter_full()
    model = run.trainer.model.eval()
    batch = next(ahead(run.batches(0, 1, RECIPE.full), 0))
    real = batch.targets.real
    with torch.no_grad():
        words = encode(model.model.text_backbone, batch.ids)
        refined = refine(model, propose(model, batch.pixels, batch.ids, real, words), real)
        output = model(pixel_values=batch.pixels, input_ids=batch.ids, attention_mask=real.long())
        logits = output.logits[..., : batch.ids.shape[1]]
        sound = logits.isfinite()
        assert torch.allclose(logits[sound], refined.logits[-1][sound], atol=1e-5)
        assert torch.allclose(output.pred_boxes, refined.boxes[-1], atol=1e-6)
        still(model)
        slow, light = (propose(model, batch.pixels, batch.ids, real, words, light=fast) for fast in (False, True))
        assert torch.allclose(
            slow.logits[real[:, None].expand_as(slow.logits)],
            light.logits[real[:, None].expand_as(light.logits)],
            atol=1e-4,
        )


def test_a_phrase_scores_the_same_whatever_else_is_asked(prepared, tokenizer):
    """Without fusion the name alone decides: no competition between phrases."""
    model = run_of(prepared).trainer.model.eval()
    pixels = torch.randn(1, 3, 128, 128)
    with torch.no_grad():
        alone, both = (
            model(pixel_values=pixels, input_ids=torch.tensor([ids])).enc_outputs_class[0, :, 1]
            for ids in ([START, 1031, STOP, 102], [START, 1031, STOP, 1033, STOP, 102])
        )
    assert torch.allclose(alone, both, atol=1e-5)


def test_a_tiny_run_learns(trained):
    _, log = trained
    dense = [row for row in log if row["phase"] == "dense"]
    assert dense[-1]["step"] == RECIPE.dense.steps
    assert dense[-1]["cells"] < 0.6 * dense[0]["cells"]
    assert dense[-1]["cell_boxes"] < 0.9 * dense[0]["cell_boxes"]
    assert log[-1]["phase"] == "full"
    assert "queries" in log[-1]


def test_a_run_that_was_stopped_goes_on_to_the_same_weights(prepared, tmp_path):
    recipe = RECIPE.model_copy(
        update={
            "dense": RECIPE.dense.model_copy(update={"steps": 2, "batch": 2}),
            "full": RECIPE.full.model_copy(update={"steps": 1, "batch": 2}),
        }
    )
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    parts.mkdir()
    straight = run_of(prepared, recipe)
    assert straight.go(whole)
    stops = 0
    while not (resumed := run_of(prepared, recipe)).go(parts, seconds=0.0):
        stops += 1
        assert stops < 10
    assert stops >= 2
    for (name, one), other in zip(
        straight.trainer.model.state_dict().items(), resumed.trainer.model.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other), name


def test_a_run_goes_on_from_the_weights_of_a_checkpoint_and_keeps_its_decoder(prepared, trained):
    folder = trained[0] / "checkpoint"
    run = run_of(prepared, RECIPE.model_copy(update={"begin": str(folder)}))
    from transformers import GroundingDinoForObjectDetection

    shipped = GroundingDinoForObjectDetection.from_pretrained(folder, dtype=torch.float32).eval()
    run.trainer.enter_full()
    pixels, ids = torch.randn(1, 3, 128, 128), torch.tensor([[START, 1031, STOP, 102]])
    with torch.no_grad():
        ours, theirs = (model(pixel_values=pixels, input_ids=ids) for model in (run.trainer.model.eval(), shipped))
    assert torch.allclose(ours.logits[..., :4], theirs.logits[..., :4], atol=1e-4)
    assert torch.allclose(ours.pred_boxes, theirs.pred_boxes, atol=1e-5)


def test_weights_of_another_shape_are_refused(prepared, trained):
    wider = RECIPE.shape.model_copy(update={"queries": 20})
    recipe = RECIPE.model_copy(update={"begin": str(trained[0] / "checkpoint"), "shape": wider})
    with pytest.raises(UsageError, match=r"cannot go on from .*checkpoint .* its recipe needs the same shape"):
        run_of(prepared, recipe)
    with pytest.raises(UsageError, match=r"cannot go on from nowhere"):
        run_of(prepared, RECIPE.model_copy(update={"begin": "nowhere"}))


def test_a_run_that_stops_in_the_dense_phase_exports_nothing_and_says_so(prepared, tmp_path, capsys):
    run = run_of(prepared)
    assert not run.go(tmp_path, seconds=0.0)
    assert run.trainer.phase == "dense"
    assert (tmp_path / "state.pt").is_file()
    assert not (tmp_path / "checkpoint").exists()
    assert "no checkpoint is exported at step 1 of phase dense" in capsys.readouterr().err
    run.trainer.enter_full()
    assert run.export(tmp_path) == tmp_path / "checkpoint"


def test_the_phases_share_no_canvas_though_their_batches_differ_in_size(prepared):
    run = run_of(prepared)
    drawn = []

    class Painter:
        seed = run.painter.seed

        def draw(self, number, side):
            drawn.append(number)
            return run.painter.draw(number, side)

    for first, count, size in ((0, 3, 4), (3, 3, 3)):  # dense, then full
        batches = Batches(Painter(), run.asker, size, (96,), first, first + count)
        for at in range(count):
            batches[at]
    assert len(drawn) == len(set(drawn)) == 21
    with pytest.raises(AssertionError, match="at most 4096"):
        Batches(run.painter, run.asker, 5000, (96,), 0, 1)


def test_calibration_loads_the_model_once_and_writes_the_file_at_the_end_alone(trained, tmp_path, monkeypatch):
    folder = shutil.copytree(trained[0] / "checkpoint", tmp_path / "checkpoint")
    old = Habits(scale=3.0, bias=-1.0, tile=160).model_dump_json()
    (folder / FILE).write_text(old)
    setup, loaded, passes = Ground.setup, [], []
    monkeypatch.setattr(Ground, "setup", lambda self: loaded.append(self) or setup(self))

    def answers(expert, seeds, lowest):
        assert (folder / FILE).read_text() == old
        passes.append(expert._habits)
        if len(passes) == 2:
            raise KeyboardInterrupt
        right = [Hit(score=0.3 + 0.05 * number, right=number % 4 > 0) for number in range(8)]
        there = Answered(key="a", phrase="cup", kind="cup", things=6, hits=right)
        return [there, there.model_copy(update={"things": 0, "hits": right[:3]})]

    monkeypatch.setattr(calibration, "answers", answers)
    with pytest.raises(KeyboardInterrupt):
        calibration.calibrate(folder, 1)
    assert (folder / FILE).read_text() == old
    assert len(loaded) == 1
    done = calibration.calibrate(folder, 1)
    assert len(loaded) == 2
    assert Habits.beside(folder) == done
    assert [(habits.scale, habits.bias) for habits in passes[2:]] == [(1.0, 0.0), (done.scale, done.bias)]
    assert (done.tile, done.scale != 1.0) == (160, True)
    assert not list(folder.glob("*.partial"))


def test_prepare_makes_again_what_no_longer_fits_each_part_whole_or_not_at_all(bank, tokenizer, tmp_path, monkeypatch):
    width, made, banks = RECIPE.shape.d_model, [], [bank]
    nouns = ["owl"]
    out, sentences = tmp_path / "prepared", tmp_path / "sentences"
    tokenizer.save_pretrained(sentences)

    class Nouns:
        def __init__(self, folder):
            pass

        def things(self):
            return nouns

    def meanings(names, folder, wordnet, wide, say):
        made.append("words")
        rng = np.random.default_rng(len(names))
        return Meanings(list(names), rng.standard_normal((len(names), wide)), rng.standard_normal((11, wide)))

    def taught(student, words, lexicon, folder, steps, seed, say):
        made.append("text")
        return torch.nn.Linear(RECIPE.shape.text_width, width)

    def looks(weights, shown):
        made.append("looks")
        return np.ones((len(shown.sprites), 4), np.float32)

    for name, stand_in in {"WordNet": Nouns, "meanings": meanings, "teach": taught, "looks": looks}.items():
        monkeypatch.setattr(preparation, name, stand_in)
    monkeypatch.setattr(preparation, "load_bank", lambda fetched, more: banks[-1])

    def prepare(recipe=RECIPE):
        made.clear()
        preparation.prepare(out, recipe, sentences, tmp_path, lambda line: None, classifier=tmp_path / "x.pth")
        assert sorted(path.name for path in out.iterdir()) == ["looks.npy", "meanings.npz", "text"]
        return made

    assert prepare() == ["words", "text", "looks"]
    assert prepare() == []
    banks.append(Bank(bank.kinds, bank.sprites[:-1]))
    assert prepare() == ["looks"]
    assert len(np.load(out / "looks.npy")) == len(bank.sprites) - 1
    nouns.append("heron")
    assert prepare() == ["words", "text"]
    assert "heron" in Meanings.load(out / "meanings.npz").names
    deeper = RECIPE.shape.model_copy(update={"text_layers": 2})
    assert prepare(RECIPE.model_copy(update={"shape": deeper})) == ["text"]

    def broken(path, array):
        Path(path).write_bytes(b"half")
        raise OSError("the disk is full")

    whole = (out / "looks.npy").read_bytes()
    banks.append(bank)
    monkeypatch.setattr(np, "save", broken)
    with pytest.raises(OSError, match="disk is full"):
        prepare(RECIPE.model_copy(update={"shape": deeper}))
    assert (out / "looks.npy").read_bytes() == whole
    assert sorted(path.name for path in out.iterdir()) == ["looks.npy", "meanings.npz", "text"]


def test_more_pictures_without_the_renderer_say_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(P2GError, match="pip install resvg-py"):
        more(tmp_path / "more")


def test_the_checkpoint_is_one_that_the_expert_loads(trained):
    out, _ = trained
    folder = out / "checkpoint"
    assert all(path.stat().st_size < 15_000_000 for path in folder.iterdir())
    assert str(out.parent) not in (folder / "config.json").read_text()
    picture = Picture.open(_scene_like())
    result = Runner([Ground(str(folder))]).run(
        picture, [Call(expert="ground", args={"objects": ["dog"], "threshold": 0.0})]
    )[0]
    assert result.error is None
    assert result.regions


def _scene_like():
    from PIL import Image

    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (200, 300, 3), dtype=np.uint8))


def test_a_recipe_says_what_is_wrong_with_it(tmp_path):
    with pytest.raises(UsageError, match=r"no recipe 'none'; there are cpu, cpu-more, nano, tiny"):
        load_recipe("none")
    broken = tmp_path / "broken.toml"
    broken.write_text("[dense]\nsteps = 'many'\n")
    with pytest.raises(UsageError, match=r"dense\.steps"):
        load_recipe(broken)
    broken.write_text("[shape]\nstem = 8\n[dense]\nsteps = 1\nbatch = 1\n[full]\nsteps = 1\nbatch = 1\n")
    with pytest.raises(UsageError, match=r"shape\.stem .* greater than or equal to 16"):
        load_recipe(broken)
    assert Path(load_recipe("cpu").name).name == "cpu"


def test_a_recipe_that_says_what_was_a_setting_once_loads_if_it_is_so_now(tmp_path):
    saved = RECIPE.model_dump(mode="json")
    saved["shape"] |= {"levels": 2, "fuse": False}
    assert Recipe.model_validate_json(json.dumps(saved)) == RECIPE
    other = tmp_path / "other.toml"
    other.write_text("[shape]\nlevels = 3\n[dense]\nsteps = 1\nbatch = 1\n[full]\nsteps = 1\nbatch = 1\n")
    with pytest.raises(UsageError, match=r"shape\.levels"):
        load_recipe(other)
