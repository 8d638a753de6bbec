"""Read lines as rows: columns keep their number, order is kept, nothing is lost."""

from policies.data.page import Line
from policies.text.rows import runs, to_rows

SIZE = (1000, 1000)


def lines(*items):
    """`(text, x1, y1, x2)` with a height of 20."""
    return [Line(text, (x1, y1, x2, y1 + 20)) for text, x1, y1, x2 in items]


def shape(rows):
    return [[cell.text for cell in row.cells] for row in rows]


def column(rows, text):
    return next(cell.column for row in rows for cell in row.cells if cell.text == text)


def test_a_cell_has_the_column_of_its_head_whatever_its_width():
    table = lines(
        ("Item", 50, 100, 100), ("Price in euro", 400, 100, 560), ("Qty", 800, 100, 840),
        ("milk", 50, 130, 90), ("2.50", 510, 130, 560), ("7", 820, 130, 830),
        ("bread rolls, large", 50, 160, 260), ("11.00", 500, 160, 560), ("1200 pieces", 780, 160, 900),
    )  # fmt: skip
    rows = to_rows(table, SIZE)
    assert shape(rows)[0] == ["Item", "Price in euro", "Qty"]
    for head, cells in {
        "Item": ("milk", "bread rolls, large"),
        "Price in euro": ("2.50", "11.00"),
        "Qty": ("7", "1200 pieces"),
    }.items():
        assert {column(rows, cell) for cell in cells} == {column(rows, head)}
    assert len({column(rows, head) for head in ("Item", "Price in euro", "Qty")}) == 3


def test_a_title_over_the_whole_table_does_not_merge_its_columns():
    table = lines(
        ("A title as wide as the page", 50, 70, 900),
        ("left", 50, 100, 120), ("right", 700, 100, 800),
        ("one", 50, 130, 90), ("two", 710, 130, 760),
    )  # fmt: skip
    rows = to_rows(table, SIZE)
    assert column(rows, "one") == column(rows, "left") != column(rows, "right") == column(rows, "two")


def test_a_form_with_values_of_several_lines_keeps_the_reading_order():
    form = lines(
        ("Address", 50, 100, 150), ("12 Long Street", 300, 100, 480),
        ("3000 Bern", 300, 125, 420),
        ("Phone", 50, 150, 120), ("031 222", 300, 150, 400),
    )  # fmt: skip
    rows = to_rows(form, SIZE)
    assert shape(rows) == [["Address", "12 Long Street"], ["3000 Bern"], ["Phone", "031 222"]]
    assert column(rows, "3000 Bern") == column(rows, "12 Long Street") == column(rows, "031 222")


def test_empty_lines_are_left_out_and_the_others_keep_their_numbers():
    given = [Line("", (0, 0, 10, 20)), *lines(("a", 50, 100, 60)), Line("  ", (0, 0, 9, 9)), *lines(("b", 50, 130, 60))]
    assert [cell.line for row in to_rows(given, SIZE) for cell in row.cells] == [1, 3]
    assert to_rows([], SIZE) == []
    assert to_rows([Line("", (0, 0, 1, 1))], SIZE) == []


def test_white_space_inside_a_line_becomes_one_space():
    assert shape(to_rows(lines(("a \n  b", 0, 0, 90)), SIZE)) == [["a b"]]


def test_a_single_cell_has_its_place_in_hundredths():
    (row,) = to_rows(lines(("alone", 600, 490, 800)), SIZE)
    assert (row.y, row.cells[0].column) == (50, 70)


def test_places_outside_the_picture_are_held_to_0_and_99():
    (row,) = to_rows([Line("out", (1500, 1400, 1600, 1420))], SIZE)
    assert (row.y, row.cells[0].column) == (99, 99)


def test_a_line_left_of_the_one_before_starts_a_new_row():
    """Reading order goes through the left column first; the next column's lines do not join those rows."""
    columns = lines(("left 1", 50, 100, 200), ("left 2", 50, 130, 200), ("right 1", 500, 100, 700))
    assert shape(to_rows(columns, SIZE)) == [["left 1"], ["left 2"], ["right 1"]]


def test_runs_end_at_a_gap_and_where_the_text_goes_up_again():
    rows = to_rows(
        lines(
            ("a", 50, 100, 90), ("b", 50, 125, 90),
            ("after a gap", 50, 300, 200),
            ("next column", 500, 100, 700), ("its second line", 500, 125, 700),
        ),
        SIZE,
    )  # fmt: skip
    assert [shape(run) for run in runs(rows)] == [
        [["a"], ["b"]],
        [["after a gap"]],
        [["next column"], ["its second line"]],
    ]
    assert sum(len(run) for run in runs(rows)) == len(rows)
