"""Copy decoding: whatever the model wants, an answer is a whole run of the read text or the fixed phrase."""

import pytest
import torch

from policies.data.page import Line
from policies.text.copying import MAX_TOKENS, CopySource, copy_answer
from policies.text.protocol import ABSENT
from policies.text.rows import to_rows

PAGE = [
    "Invoice No. INV-2041/7 of 12.03.2019, 14:30",
    "Total due: CHF 1,250.50 (excl. 7.7% tax)",
    "mail anna.smith@example.org or +41 31 222-33-44",
    "Anna-Maria O'Neill, Żółwia Łódź café naïve 北京",
    "Temperature -5 °C, ratio .75",
    "https://www.example.org/a_b?c=98",
    "x",
]


def source_of(texts, protocol, tokenizer, phrases=(ABSENT,)):
    lines = [Line(text, (50, 40 * i, 900, 40 * i + 20)) for i, text in enumerate(texts)]
    rows = to_rows(lines, (1000, 40 * len(texts)))
    context = protocol.context(rows, list(range(len(rows))))
    return CopySource(context, tokenizer, [list(protocol.encode(phrase)) for phrase in phrases])


def is_whole(answer, text):
    """The answer stands somewhere in `text` without cutting a word or a number."""
    at = text.find(answer) if answer else -1
    while at >= 0:
        end = at + len(answer)
        left, right = text[:at][-2:], text[end : end + 2]
        cut_word = (left[-1:].isalnum() and answer[0].isalnum()) or (answer[-1].isalnum() and right[:1].isalnum())
        inside_left = len(left) == 2 and left[0].isdigit() and left[1] in ".,:/-" and answer[0].isdigit()
        inside_right = len(right) == 2 and answer[-1].isdigit() and right[0] in ".,:/-" and right[1].isdigit()
        ends_at_mark = answer[-1] in ".,:/-" and answer[-2:-1].isdigit() and right[:1].isdigit()
        starts_at_mark = answer[0] in ".,:/-" and left[-1:].isdigit() and answer[1:2].isdigit()
        signed = left[-1:] == "-" and answer[0].isdigit() and not left[0].isalnum()
        if not (cut_word or inside_left or inside_right or ends_at_mark or starts_at_mark or signed):
            return True
        at = text.find(answer, at + 1)
    return False


def decode(source, protocol, tokenizer, logits_for, width=3):
    """Runs the search with `logits_for(tokens) -> [V]`; also returns how many steps it took."""
    steps = []

    def step(hypotheses):
        assert len({len(tokens) for tokens in hypotheses}) == 1
        steps.append(len(hypotheses))
        return torch.stack([logits_for(tokens) for tokens in hypotheses])

    copied = copy_answer(step, logits_for([]), source, tokenizer, protocol.end_id, width)
    assert max(steps, default=0) <= width
    return copied, len(steps)


def favouring(wanted, vocabulary, end_id):
    """Logits that follow the token list `wanted` and then end."""

    def logits_for(tokens):
        logits = torch.zeros(vocabulary)
        following = [*wanted, end_id]
        if tokens == following[: len(tokens)] and len(tokens) < len(following):
            logits[following[len(tokens)]] = 20
        return logits

    return logits_for


@pytest.mark.parametrize("seed", range(40))
def test_a_random_model_can_only_give_whole_runs_of_the_text(seed, protocol, tokenizer):
    source = source_of(PAGE, protocol, tokenizer)
    draw = torch.Generator().manual_seed(seed)
    scale = [0.5, 3, 20][seed % 3]

    def logits_for(tokens):
        logits = scale * torch.randn(len(tokenizer), generator=draw)
        logits[protocol.end_id] += [0, 5, -5, 50][seed % 4]
        return logits

    copied, steps = decode(source, protocol, tokenizer, logits_for)
    assert copied.text == ABSENT.strip() or is_whole(copied.text, " ".join(PAGE)), copied.text
    assert steps <= MAX_TOKENS
    assert 0 <= copied.probability <= 1


@pytest.mark.parametrize("seed", range(10))
def test_a_model_that_never_ends_is_stopped_at_the_end_of_a_word(seed, protocol, tokenizer):
    text = "abcdefghij klmnopqrst uvwxyzabcd efghijklmn opqrstuvwx yzabcdefgh ijklmnopqr"
    source = source_of([text], protocol, tokenizer)
    draw = torch.Generator().manual_seed(seed)

    def logits_for(tokens):
        logits = torch.randn(len(tokenizer), generator=draw)
        logits[protocol.end_id] = -1e4
        return logits

    copied, steps = decode(source, protocol, tokenizer, logits_for)
    assert copied.text == ABSENT.strip() or is_whole(copied.text, text), copied.text
    assert steps <= MAX_TOKENS


@pytest.mark.parametrize(
    ("wanted", "line"),
    [
        ("INV-2041/7", 0),
        ("12.03.2019", 0),
        ("CHF 1,250.50", 1),
        ("1,250.50", 1),
        ("anna.smith@example.org", 2),
        ("+41 31 222-33-44", 2),
        ("O'Neill", 3),
        ("Żółwia Łódź", 3),
        ("-5 °C", 4),
        ("https://www.example.org/a_b?c=98", 5),
        ("x", 6),
    ],
)
def test_the_span_the_model_favours_is_the_answer_with_its_line(wanted, line, protocol, tokenizer):
    source = source_of(PAGE, protocol, tokenizer)
    cell = [token for token, at in zip(source.tape, source.line_of, strict=True) if at == line]
    run = next(
        cell[i:j]
        for i in range(len(cell))
        for j in range(i + 1, len(cell) + 1)
        if tokenizer.decode(cell[i:j]).strip() == wanted
    )
    copied, _ = decode(source, protocol, tokenizer, favouring(run, len(tokenizer), protocol.end_id))
    assert copied.text == wanted
    assert copied.lines == [line]
    assert copied.probability > 0.9


@pytest.mark.parametrize(
    "wanted", ["12", "03.2019", "250.50", "1,250", "1,", ".50", "12.", "nna", "Ann", "5 °C", "30", "75", "anna."]
)
def test_a_part_of_a_word_or_number_is_not_given_however_much_it_is_favoured(wanted, protocol, tokenizer):
    """`12` out of `12.03.2019`, `5` out of `-5`, `75` out of `.75`."""
    source = source_of(PAGE, protocol, tokenizer)
    ids = tokenizer(wanted, add_special_tokens=False)["input_ids"]
    copied, _ = decode(source, protocol, tokenizer, favouring(ids, len(tokenizer), protocol.end_id))
    assert copied.text != wanted.strip(",")
    assert is_whole(copied.text, " ".join(PAGE)) or copied.text == ABSENT.strip()


def test_an_answer_may_run_on_into_the_next_line(protocol, tokenizer):
    source = source_of(["We met in North", "Haven on Monday"], protocol, tokenizer)
    run = [*protocol.encode(" North"), *protocol.encode(" Haven")]
    copied, _ = decode(source, protocol, tokenizer, favouring(run, len(tokenizer), protocol.end_id))
    assert (copied.text, copied.lines) == ("North Haven", [0, 1])


def test_the_phrase_has_no_lines_and_is_given_whole(protocol, tokenizer):
    source = source_of(PAGE, protocol, tokenizer)
    run = list(protocol.encode(ABSENT))
    copied, _ = decode(source, protocol, tokenizer, favouring(run, len(tokenizer), protocol.end_id))
    assert (copied.text, copied.lines) == (ABSENT.strip(), [])
    part, _ = decode(source, protocol, tokenizer, favouring(run[:2], len(tokenizer), protocol.end_id))
    assert part.text == ABSENT.strip() or is_whole(part.text, " ".join(PAGE))


def test_the_last_cell_does_not_run_on_into_the_phrase(protocol, tokenizer):
    source = source_of(["red house"], protocol, tokenizer)
    run = [*protocol.encode(" house"), *protocol.encode(ABSENT)]
    copied, _ = decode(source, protocol, tokenizer, favouring(run, len(tokenizer), protocol.end_id))
    assert copied.text == "house"


def test_marks_around_an_answer_are_left_off(protocol, tokenizer):
    source = source_of(["Name: Anna Smith, age: 7"], protocol, tokenizer)
    run = list(protocol.encode(" Anna Smith,"))
    copied, _ = decode(source, protocol, tokenizer, favouring(run, len(tokenizer), protocol.end_id))
    assert copied.text == "Anna Smith"


def test_beams_that_ended_are_kept_beside_longer_ones(protocol, tokenizer):
    """ "red" ends with probability 0.3; "blue sky" is likelier at first and then falls behind."""
    source = source_of(["red", "blue sky"], protocol, tokenizer)
    red, blue = protocol.encode(" red"), protocol.encode(" blue")
    assert red[0] != blue[0]

    def logits_for(tokens):
        logits = torch.full((len(tokenizer),), -10.0)
        if not tokens:
            logits[red[0]], logits[blue[0]] = 0.0, 0.5
        elif tokens == red[: len(tokens)]:
            logits[[*red, protocol.end_id][len(tokens)]] = 5.0
        return logits

    copied, _ = decode(source, protocol, tokenizer, logits_for)
    assert copied.text == "red"


@pytest.mark.parametrize(("text", "wanted"), [("north of Dupont.The concert", "Dupont"), ("van Eck,who came", "Eck")])
def test_a_lost_space_after_a_sentence_does_not_hide_its_last_word(text, wanted, protocol, tokenizer):
    source = source_of([text], protocol, tokenizer)
    run = list(protocol.encode(" " + wanted))
    copied, _ = decode(source, protocol, tokenizer, favouring(run, len(tokenizer), protocol.end_id))
    assert copied.text == wanted


@pytest.mark.parametrize("texts", [[","], [", ;", ":"], [" , "]])
def test_a_page_of_marks_alone_holds_no_answer(texts, protocol, tokenizer):
    source = source_of(texts, protocol, tokenizer, phrases=())
    copied, _ = decode(source, protocol, tokenizer, favouring([], len(tokenizer), protocol.end_id))
    assert (copied.text, copied.lines, copied.tokens, copied.probability) == ("", [], [], 0.0)
