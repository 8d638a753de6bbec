"""A tiny stage for the tests, and a program that trains it: `run_small.py RECIPE BASE [--resume]`.

Its source has ITEMS items of random tokens with four questions each; with pictures, what to answer can only be seen.
"""

import random
import sys
from pathlib import Path

import numpy as np

from policies.data.tree import Branch, Looks, Tree
from policies.train.recipe import load_recipe
from policies.train.stages import Instruct

ITEMS = 5
SIDE = 16
PLACE = (0.25, 0.25, 0.75, 0.75)


class Random:
    """Item `index` is one of ITEMS trees of different lengths, repeated for ever."""

    def __init__(self, protocol, size=1):
        self.protocol, self.size = protocol, size

    def trees(self, index):
        rng = random.Random(index % ITEMS)
        draw = lambda n: [rng.randrange(5, 250) for _ in range(n)]  # noqa: E731
        branches = [Branch(draw(3), [*draw(2), self.protocol.end_id], "odd" if n % 2 else "even") for n in range(4)]
        return [Tree(draw(rng.randint(4, 12) * self.size), branches)]

    def digest(self):
        return f"random {self.size}"


class Seen(Random):
    """The four questions are the same for all items; only the pictures tell the answers apart."""

    def trees(self, index):
        rng = random.Random(index % ITEMS)
        image = np.random.default_rng(index % ITEMS).integers(0, 2, (SIDE, SIDE, 3), np.uint8) * np.uint8(255)
        looks = Looks(np.stack([255 - image]), [PLACE])
        image_id, region_id = self.protocol.image_id, self.protocol.region_id
        branches = [Branch([10 + n], [rng.randrange(5, 250), self.protocol.end_id], "seen") for n in range(3)]
        branches.append(Branch([20, region_id, 21], [rng.randrange(5, 250)], "appended", looks))
        return [Tree([7, image_id, 8, region_id], branches, image, looks)]


class Small(Instruct):
    def source(self, protocol):
        kind = self.recipe.sources[0].kind if self.recipe.sources else "random"
        return {"random": Random, "seen": Seen, "long": lambda p: Random(p, 1000)}[kind](protocol)


def main():
    from policies.train.loop import train
    from tools.errors import P2GError

    recipe, base, *flags = sys.argv[1:]
    try:
        names = [recipe] if not recipe.endswith(".list") else Path(recipe).read_text().split()
        for name in names:
            train(
                load_recipe(name),
                "instruct",
                Path(base),
                "--resume" in flags,
                lambda line: print(line, flush=True),
                Small,
            )
    except P2GError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
