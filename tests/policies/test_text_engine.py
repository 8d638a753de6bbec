"""The engine on a tiny random model: caches save work and change nothing; options are scored by their likelihood."""

import pytest
import torch

from policies.data.page import Line
from policies.text.engine import KEPT_PREFIXES, Reply, TextEngine
from policies.text.protocol import ABSENT
from policies.text.rows import to_rows
from policies.text.select import select_rows

SIZE = (1000, 600)
EXPERTS = [("read", "reads the text in the image"), ("ground", "finds objects by name")]
LINES = [
    Line(text, (50, 40 * i, 600, 40 * i + 20))
    for i, text in enumerate(["Invoice 2041", "Date 12 March", "Total CHF 55.20", "Anna Smith", "Bern"])
]
OPTIONS = ["55.20", "Bern", "12 March", "Anna Smith"]


@pytest.fixture
def engine(tiny_model, tokenizer):
    return TextEngine(tiny_model, tokenizer)


def prefix_of(engine, question):
    rows = to_rows(LINES, SIZE)
    return engine.protocol.context(rows, select_rows(rows, question, engine.protocol.row_cost, 480)).ids


@torch.no_grad()
def logits_after(engine, ids):
    return engine.model(input_ids=torch.tensor([ids])).logits[0, -1]


@torch.no_grad()
def test_logits_behind_a_cached_prefix_equal_those_without_a_cache(engine):
    question = engine.protocol.question("What is the total?")
    prefix = prefix_of(engine, "What is the total?")
    for asked in (question, engine.protocol.question("Who?"), question):
        logits, cache = engine._ask(prefix, asked)
        torch.testing.assert_close(logits, logits_after(engine, [*prefix, *asked]), atol=1e-4, rtol=1e-4)
        assert cache.get_seq_length() == len(prefix) + len(asked)


@torch.no_grad()
def test_a_prefix_that_shares_only_its_beginning_is_right_too(engine):
    """Rows chosen for another question: the common part is taken over, the rest is computed."""
    prefix, question = prefix_of(engine, ""), engine.protocol.question("Who?")
    engine._ask(prefix, question)
    engine.cost.cached = 0
    other = [*prefix[: len(prefix) // 2], *engine.protocol.encode("\n99 @50 something else\n")]
    logits, _ = engine._ask(other, question)
    torch.testing.assert_close(logits, logits_after(engine, [*other, *question]), atol=1e-4, rtol=1e-4)
    assert engine.cost.cached >= len(prefix) // 2
    again, _ = engine._ask(prefix, question)  # the kept cache was not cut by its copy
    torch.testing.assert_close(again, logits_after(engine, [*prefix, *question]), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("options", [None, OPTIONS])
def test_answers_are_the_same_with_and_without_kept_prefixes(engine, options):
    questions = ["What is the total?", "Who?", "When?"]
    warm = [engine.answer(LINES, SIZE, question, options) for question in questions]
    cold = []
    for question in questions:
        engine.forget()
        cold.append(engine.answer(LINES, SIZE, question, options))
    for one, other in zip(warm, cold, strict=True):
        assert (one.text, one.choice, one.lines) == (other.text, other.choice, other.lines)
        assert one.confidence == pytest.approx(other.confidence, abs=1e-4)


def test_a_second_question_on_the_same_rows_pays_for_its_own_tokens(engine):
    engine.answer(LINES, SIZE, "What is the total?", None)
    assert engine.cost.cached == 0
    engine.cost = type(engine.cost)()
    engine.answer(LINES, SIZE, "Who is it?", None)
    prefix = prefix_of(engine, "Who is it?")
    assert engine.cost.cached == len(prefix)
    assert engine.cost.prompt == len(prefix) + len(engine.protocol.question("Who is it?")) + 1


def test_deciding_and_calling_share_their_prefix(engine):
    engine.p_call(EXPERTS, SIZE, "What is the total?", None)
    first = engine.cost.prompt
    engine.cost = type(engine.cost)()
    text = engine.call(EXPERTS, SIZE, "What is the total?", None, set())
    assert 0 < engine.cost.cached < first
    assert text in ("read:", "ground:")


def test_p_call_is_the_share_of_the_call_token(engine):
    prompt = [*engine.protocol.decide_prefix(EXPERTS, SIZE), *engine.protocol.question("What is the total?", None)]
    logits = logits_after(engine, prompt)
    pair = logits[[engine.protocol.answer_id, engine.protocol.call_id]]
    assert engine.p_call(EXPERTS, SIZE, "What is the total?", None) == pytest.approx(
        float(pair.softmax(-1)[1]), abs=1e-4
    )


def test_options_are_scored_by_their_likelihood_with_the_end_in_sight_and_out_of_it(engine):
    """Against plain forward passes over prompt and option, one by one, without any cache."""
    question = "Which one?"
    prefix = prefix_of(engine, question)

    @torch.no_grad()
    def likelihood(option, shown):
        prompt = [*prefix, *engine.protocol.question(question, shown), engine.protocol.answer_id]
        ids = [*engine.protocol.encode(" " + option), engine.protocol.end_id]
        logits = engine.model(input_ids=torch.tensor([[*prompt, *ids]])).logits[0].log_softmax(-1)
        return sum(logits[len(prompt) - 1 + i, token] for i, token in enumerate(ids))

    shown, unseen = (torch.stack([likelihood(option, shown) for option in OPTIONS]) for shown in (OPTIONS, None))
    expected = (shown.log_softmax(-1) + unseen.log_softmax(-1)).div(2).softmax(-1)
    reply = engine.answer(LINES, SIZE, question, OPTIONS)
    assert (reply.choice, reply.text) == (int(expected.argmax()), OPTIONS[int(expected.argmax())])
    assert reply.confidence == pytest.approx(float(expected.max()), abs=1e-3)


def test_an_answer_is_copied_and_says_from_where(engine):
    reply = engine.answer(LINES, SIZE, "What is the total?", None)
    if reply.lines:
        assert reply.text in " ".join(LINES[number].text for number in reply.lines)
    else:
        assert reply.text == ABSENT.strip()


def test_nothing_read_means_not_in_the_image(engine):
    for lines in ([], [Line("  ", (0, 0, 10, 10))]):
        assert engine.answer(lines, SIZE, "What?", None).text == ABSENT.strip()


def test_few_prefixes_are_kept(engine):
    for number in range(KEPT_PREFIXES + 3):
        engine.p_call([(f"expert{number}", "does something")], SIZE, "What?", None)
    assert len(engine.cached._prefixes) == KEPT_PREFIXES


def test_free_text_ends_by_itself_or_at_the_limit(engine):
    reply = engine.direct(EXPERTS, SIZE, "Hello?", None)
    assert isinstance(reply.text, str)
    assert 0 <= reply.confidence <= 1


def test_the_engine_says_that_it_is_not_thread_safe():
    assert "not thread-safe" in TextEngine.__doc__.lower()


def test_a_prefix_that_continues_a_kept_one_counts_as_if_computed_anew(engine):
    start = engine.protocol.encode("What is the total of the bill?")
    longer = [*start, *engine.protocol.encode(" And who pays it?")]
    engine._ask(start, engine.protocol.encode("Yes"))
    continued, _ = engine._ask(longer, engine.protocol.encode("Yes"))
    engine.forget()
    anew, _ = engine._ask(longer, engine.protocol.encode("Yes"))
    assert torch.allclose(continued, anew, atol=1e-4)


@pytest.mark.parametrize("opened", [ABSENT.strip(), "55.20"])
def test_not_in_the_image_is_chosen_when_the_open_question_says_so_and_only_then(engine, monkeypatch, opened):
    options = ["Bern", ABSENT.strip(), "12 March", "Anna Smith"]
    monkeypatch.setattr(engine, "_open", lambda *_: Reply(opened, 0.7))
    reply = engine.answer(LINES, SIZE, "What is the total?", options)
    assert (reply.choice == 1) == (opened == ABSENT.strip())
    assert reply.text == options[reply.choice]


def test_nothing_read_chooses_not_in_the_image_where_it_is_an_option(engine):
    assert engine.answer([], SIZE, "What is the total?", [*OPTIONS, ABSENT.strip()]).choice == len(OPTIONS)


def test_when_nothing_but_marks_was_read_it_is_not_in_the_image(engine):
    marks = [Line(", ;", (50, 40, 600, 60)), Line(":", (50, 80, 600, 100))]
    assert engine.answer(marks, SIZE, "What is the total?", None).text == ABSENT.strip()
    assert engine.answer(marks, SIZE, "What is the total?", [*OPTIONS, "not in the image"]).choice == len(OPTIONS)
