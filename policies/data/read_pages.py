"""Pages rendered and really read by the expert `read`, kept as JSON lines, so that training sees real reading faults.

`python -m policies.data.read_pages --count 400 --seed 50000000 --out runs/readings.jsonl` (about a second a page).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from policies.data.documents import make_page
from policies.data.page import Line, Page, Question, Span, render
from policies.data.reading import Reading, read_page
from policies.data.values import Values

LOST = 0.3  # share of a page's questions whose answers may be lost in reading


def read_pages(count: int, seed: int, out: Path) -> int:
    """Append `count` pages from `seed` on to `out`, or what is left of them when it was interrupted; returns how many."""
    from tools.pictures import Picture
    from tools.read import Read

    done = len(out.read_text().splitlines()) if out.exists() else 0
    out.parent.mkdir(parents=True, exist_ok=True)
    expert = Read()
    expert.ready()
    with out.open("a") as file:
        for number in range(seed + done, seed + count):
            page = make_page(number)
            picture = Picture.open(render(page, Values(number)))
            regions = expert(picture, expert.Args())
            row = {
                "size": [page.width, page.height],
                "lines": [[line.text, *line.box] for line in page.lines],
                "questions": [[q.text, q.kind, [[s.line, s.start, s.end] for s in q.spans]] for q in page.questions],
                "read": [[region.text, *region.box] for region in regions],
            }
            file.write(json.dumps(row) + "\n")
            file.flush()
    return count - done


def load(path: Path) -> list[tuple[Page, Reading]]:
    """The pages with their readings; a page of which the engine made little is left out."""
    out = []
    for text in path.read_text().splitlines():
        row = json.loads(text)
        width, height = row["size"]
        page = Page(width, height, font=None)
        page.lines = [Line(line[0], tuple(line[1:])) for line in row["lines"]]
        page.questions = [Question(q, [Span(*s) for s in spans], kind) for q, kind, spans in row["questions"]]
        reading = read_page(page, [Line(line[0], tuple(line[1:])) for line in row["read"]])
        if sum(spans is None for spans in reading.spans) < LOST * len(reading.spans):
            out.append((page, reading))
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--seed", type=int, default=50_000_000)
    parser.add_argument("--out", type=Path, default=Path("runs/readings.jsonl"))
    args = parser.parse_args()
    print(f"{read_pages(args.count, args.seed, args.out)} pages read into {args.out}")


if __name__ == "__main__":
    main()
