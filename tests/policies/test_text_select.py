"""Selection of rows: what a question is about is on the list, with its head and neighbours, within the budget."""

import pytest

from policies.data.page import Line
from policies.text.rows import to_rows
from policies.text.select import relevance, select_rows


def long_page(rows=300, special=217):
    """A title, sixty remarks, and a table of `rows` rows under its heads; row `special` alone names mallets."""
    lines = [Line("Annual stock list of the warehouse", (50, 20, 900, 80))]
    lines += [Line(f"a remark of no weight, {i}", (50, 120 + 30 * i, 500, 140 + 30 * i)) for i in range(60)]
    lines += [Line(head, (x, 2100, x + 80, 2120)) for head, x in (("Article", 50), ("Place", 400), ("Pieces", 700))]
    for number in range(rows):
        y = 2130 + 30 * number
        name = "xylophone mallets" if number == special else f"article {number}"
        cells = ((name, 50), (f"shelf {number % 9}", 400), (f"{number * 7}", 700))
        lines += [Line(text, (x, y, x + 80, y + 20)) for text, x in cells]
    return to_rows(lines, (1000, 2150 + 30 * rows))


def cost(row):
    return 3 + 4 * len(row.cells)


@pytest.mark.parametrize("budget", [0, 10, 60, 200, 480])
@pytest.mark.parametrize("question", ["Where are the mallets?", "", "How many pieces are there of article 12?", "???"])
def test_the_budget_is_kept_and_rows_come_in_order_without_repetition(budget, question):
    rows = long_page()
    chosen = select_rows(rows, question, cost, budget)
    assert sum(cost(rows[i]) for i in chosen) <= budget
    assert chosen == sorted(set(chosen))
    assert chosen or budget < 15


def test_the_row_with_the_rare_word_comes_with_its_head_and_neighbours():
    rows = long_page()
    row = next(i for i, r in enumerate(rows) if "xylophone" in r.text)
    chosen = select_rows(rows, "What of the xylophone mallets?", cost, 200)
    head = next(i for i, r in enumerate(rows) if "Pieces" in r.text)
    assert {row, head, row - 1, row + 1} <= set(chosen)
    assert len(chosen) < 30


def test_the_title_is_kept():
    rows = long_page()
    assert 0 in select_rows(rows, "On which shelf are the xylophone mallets?", cost, 100)


def test_the_largest_row_is_kept_wherever_it_stands():
    lines = [Line(f"line {i}", (50, 30 * i, 200, 30 * i + 20)) for i in range(100)]
    lines.insert(50, Line("GRAND OPENING", (50, 1500, 900, 1590)))
    rows = to_rows(lines, (1000, 3100))
    chosen = select_rows(rows, "What is in line 7?", cost, 80)
    assert any(rows[i].text == "GRAND OPENING" for i in chosen)


def test_all_rows_come_when_they_fit():
    rows = long_page(5, 2)
    assert select_rows(rows, "anything", cost, sum(map(cost, rows))) == list(range(len(rows)))


def test_run_together_text_is_matched():
    lines = [Line(f"word{i} filler", (50, 30 * i, 300, 30 * i + 20)) for i in range(40)]
    lines.append(Line("Theregistrationclosesat noon", (50, 1300, 500, 1320)))
    rows = to_rows(lines, (1000, 1400))
    scores = relevance(rows, "When does the registration close?")
    assert max(range(len(rows)), key=scores.__getitem__) == len(rows) - 1


@pytest.mark.parametrize(
    ("question", "row"),
    [
        ("How much has to be paid?", "Total due 55.20"),
        ("When was it signed?", "on 12.03.2019 in Bern"),
        ("Which phone number can I call?", "+41 31 222 33 44"),
        ("What is the email address?", "office@example.org"),
        ("When does the shop open?", "from 08:30"),
    ],
)
def test_the_kind_of_value_asked_for_counts(question, row):
    rows = to_rows([Line(t, (50, 40 * i, 300, 40 * i + 20)) for i, t in enumerate(["alpha", "beta", row])], (500, 500))
    scores = relevance(rows, question)
    assert scores[2] > max(scores[:2])


def test_no_rows_and_no_words_are_no_problem():
    assert select_rows([], "What?", cost, 10) == []
    assert relevance([], "What?") == []
