"""A tiny model learns 20 questions about pictures by heart, and cannot answer them about other pictures."""

import numpy as np
import torch

from policies.data.tree import Looks
from policies.visuals import Pictures

REGION, IMAGE, SIDE = 62, 63, 28


def questions():
    """Ten pictures, a question about the whole and one about a region of each; every answer is a word of the picture,
    so that the text alone says nothing."""
    rng = np.random.default_rng(0)
    for number in range(10):
        image, crop = (rng.integers(0, 256, (1, 3)) * np.ones((SIDE, SIDE, 1)) for _ in range(2))
        crop = crop.astype(np.uint8)
        yield image.astype(np.uint8), [IMAGE, 5], None, 10 + number
        yield image.astype(np.uint8), [IMAGE, 6, REGION, 7], Looks(crop[None], [(0.2, 0.2, 0.6, 0.6)]), 30 + number


def collate(config, samples):
    pictures = Pictures(config)
    rows = [pictures.expand(ids, pictures.add(image), looks)[0] for image, ids, looks, _ in samples]
    size = max(map(len, rows))
    ids, mask = torch.zeros(len(rows), size, dtype=torch.long), torch.zeros(len(rows), size, dtype=torch.long)
    for n, row in enumerate(rows):
        ids[n, size - len(row) :], mask[n, size - len(row) :] = torch.tensor(row), 1
    return {"input_ids": ids, "attention_mask": mask, "visuals": pictures.visuals(), "logits_to_keep": 1}


def test_twenty_questions_with_pictures_are_learned_to_the_last(make_tiny):
    model = make_tiny(vision_feature_layer=-1).train()
    for parameter in model.parameters():
        parameter.data.div_(3) if parameter.ndim > 1 else None
    samples = list(questions())
    inputs, answers = collate(model.config, samples), torch.tensor([answer for *_, answer in samples])
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    for _ in range(300):
        loss = torch.nn.functional.cross_entropy(model(**inputs).logits[:, -1], answers)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if loss < 0.02:
            break
    model.eval()
    with torch.no_grad():
        right = model(**inputs).logits[:, -1].argmax(-1) == answers
        assert right.all()
        alone = [model(**collate(model.config, [sample])).logits[0, -1].argmax() for sample in samples]
        assert torch.equal(torch.stack(alone), answers)
        others = [(samples[i - 2][0], ids, samples[i - 2][2], answer) for i, (_, ids, _, answer) in enumerate(samples)]
        wrong = model(**collate(model.config, others)).logits[:, -1].argmax(-1) == answers
    assert wrong.sum() <= 3
