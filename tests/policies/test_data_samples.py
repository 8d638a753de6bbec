"""Training samples: the target is the answer in the prompt's own tokens, and copy decoding could give it."""

import pytest

from policies.data.documents import make_page
from policies.data.reading import read_page
from policies.data.text_samples import make_trees
from policies.text.copying import CopySource
from policies.text.protocol import ABSENT, Protocol


class Recording(Protocol):
    """Keeps the last focus turn, of which a tree holds the ids only."""

    last = None

    def context(self, rows, shown, **more):
        self.last = super().context(rows, shown, **more)
        return self.last


def reachable(source, target):
    places = None
    for token in target:
        allowed, _ = source.next(places)
        if token not in allowed:
            return False
        places = allowed[token]
    return source.next(places)[1]


def answer_trees(tokenizer, seeds, faultless=False):
    protocol = Recording(tokenizer)
    for seed in seeds:
        page = make_page(seed)
        reading = (page, read_page(page, page.lines)) if faultless else None
        for tree in make_trees(seed, protocol, reading):
            if protocol.last is not None and tree.prefix == protocol.last.ids:
                yield page, tree, protocol


def test_the_same_seed_makes_the_same_trees(protocol):
    assert make_trees(7, protocol) == make_trees(7, protocol)


def test_branches_begin_with_a_decision_and_end_the_turn(tokenizer, protocol):
    first = set()
    for seed in range(8):
        for tree in make_trees(seed, protocol):
            for branch in tree.branches:
                assert branch.target[-1] == protocol.end_id
                decision = branch.prompt[-1] if branch.kind == "guess" else branch.target[0]
                assert decision in (protocol.answer_id, protocol.call_id)
                first.add(decision)
                assert protocol.answer_id not in branch.prompt[:-1]
    assert first == {protocol.answer_id, protocol.call_id}


def test_targets_read_as_answers_of_the_page_when_it_was_read_without_fault(tokenizer):
    checked = 0
    for page, tree, _ in answer_trees(tokenizer, range(6), faultless=True):
        answers = {" ".join(page.answer(q).split()) for q in page.questions if q.spans} | {ABSENT.strip()}
        for branch in tree.branches:
            prompt, text = tokenizer.decode(branch.prompt), tokenizer.decode(branch.target[1:-1]).strip()
            if "\nOptions: " in prompt:
                listed = prompt.split("\nOptions: ")[1].split("<|im_end|>")[0]
                assert text in listed
            else:
                assert " ".join(text.split()) in answers
            checked += 1
    assert checked > 20


@pytest.mark.parametrize(("faultless", "share"), [(True, 0.01), (False, 0.04)])
def test_copy_decoding_could_give_the_target(tokenizer, faultless, share):
    """With simulated faults some answers are glued to the next word and cannot be cut out."""
    total = missed = 0
    for _, tree, protocol in answer_trees(tokenizer, range(300, 320), faultless):
        source = CopySource(protocol.last, tokenizer, [list(protocol.encode(ABSENT))])
        for branch in tree.branches:
            if "\nOptions: " not in tokenizer.decode(branch.prompt):
                total += 1
                missed += not reachable(source, branch.target[1:-1])
    assert total > 80
    assert missed <= share * total
