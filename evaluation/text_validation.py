"""The text path on generated pages it was not trained on: right answers by kind of question, and the decision.

`python -m evaluation.text_validation --pages 100` asks about pages with seeds from 90,000,000 on (training uses lower
ones), read with simulated faults. It says how well the model learned its own task; real pages are harder
(`p2g bench run samples`).
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import defaultdict
from pathlib import Path

from agent.profiles import p2g_home
from evaluation.cli_output import prepare_output
from evaluation.metrics import exact_match
from evaluation.statistics import wilson
from policies.data import decisions
from policies.data.documents import make_page
from policies.data.reading import misread
from policies.nano import load_nano
from tools.errors import P2GError

FIRST_SEED = 90_000_000
ABSENT = "not in the image"
READ = ("read", "Read the text in the picture, or in one part of it: every line with its place, in reading order.")
ZOOM = ("zoom", "Look closely at one part of the picture, for small things that are hard to see in the whole.")


def validate(pages: int, weights: str | Path, per_page: int = 4) -> dict[str, tuple[int, int]]:
    """`{kind: (right, asked)}`; `call` and `direct` are decisions at the shipped threshold."""
    engine, policy = load_nano(p2g_home(), weights)
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])

    def count(kind: str, right: bool) -> None:
        for name in (kind, "decision" if kind in ("call", "direct") else "all answers"):
            counts[name][0] += right
            counts[name][1] += 1

    for seed in range(FIRST_SEED, FIRST_SEED + pages):
        rng = random.Random(seed)
        page = make_page(seed)
        read = misread(page, rng)
        size = (page.width, page.height)
        asked = [number for number, spans in enumerate(read.spans) if spans is not None]
        for number in rng.sample(asked, min(per_page, len(asked))):
            question, spans = page.questions[number], read.spans[number] or []
            gold = " ".join(read.lines[s.line].text[s.start : s.end] for s in spans) or ABSENT
            seen = (page.width, round(max(page.height, *(line.box[3] for line in read.lines), 0)))
            reply = engine.answer(read.lines, seen, question.text, None)
            count(question.kind if spans else "absent", exact_match(reply.text, gold, []))
        if page.questions:
            text = rng.choice(page.questions).text
            count("call", engine.p_call([READ, ZOOM], size, text, None) >= policy.threshold)
        count("direct", engine.p_call([READ, ZOOM], size, decisions.general(rng, size)[0], None) < policy.threshold)
    return {kind: (right, n) for kind, (right, n) in sorted(counts.items())}


def main() -> int:
    """The command; prints the table, writes the counts, returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=100)
    parser.add_argument("--weights", default="nano")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    try:
        if args.out:
            prepare_output(args.out)
        result = validate(args.pages, args.weights)
    except P2GError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    for kind, (right, asked) in result.items():
        low, high = wilson(right, asked)
        print(f"{kind:12} {right:4}/{asked:<4} {right / asked:6.1%}  [{low:.1%}, {high:.1%}]")
    if args.out:
        args.out.write_text(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
