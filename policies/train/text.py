"""Train the text path: a LoRA on the base LM, and the rows of the decision tokens, on generated document questions.

`python -m policies.train.text --minutes 60 --out runs/text` streams pages (`policies/data/documents.py`) into trees
and trains on two CPU cores in bf16, and takes a GPU if there is one (not tried yet). `--init DIR` goes on from saved
weights; a checkpoint is written every five minutes, and at the end metrics and the command that made them.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from policies.base_lm import NAME
from policies.config import SPECIAL_TOKENS
from policies.data import read_pages
from policies.data.text_samples import make_trees
from policies.data.tree import Tree
from policies.text.protocol import Protocol
from policies.train.trees import Batch, batches

RANK = 16
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


class TextModel(nn.Module):
    """The base LM with LoRA, and `rows` `[len(SPECIAL_TOKENS), D]`: embeddings (tied to the head) of the new tokens."""

    def __init__(self, base: Path, rank: int = RANK, init: Path | None = None) -> None:
        super().__init__()
        from peft import LoraConfig, PeftModel, get_peft_model
        from safetensors.torch import load_file
        from transformers import AutoModelForCausalLM

        # eager attention: with a mask its plain matrix products are twice as fast on a CPU as the fused kernel
        lm: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16, attn_implementation="eager")
        self.old = lm.get_input_embeddings().weight.shape[0]
        mean = lm.get_input_embeddings().weight.detach().float().mean(0)
        rows = mean + 0.02 * torch.randn(len(SPECIAL_TOKENS), len(mean), generator=torch.Generator().manual_seed(0))
        if init:
            self.lm: Any = PeftModel.from_pretrained(lm, init, is_trainable=True, autocast_adapter_dtype=False)
            rows = load_file(init / "token_rows.safetensors")["rows"].float()
        else:
            config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=TARGETS, task_type="CAUSAL_LM")
            self.lm = get_peft_model(lm, config, autocast_adapter_dtype=False)
        self.rows = nn.Parameter(rows.to(torch.bfloat16))

    def forward(self, batch: Batch) -> torch.Tensor:
        """Mean cross-entropy over the labelled tokens."""
        embedding = self.lm.get_input_embeddings().weight
        new = batch.input_ids >= self.old
        embeds = nn.functional.embedding(batch.input_ids.clamp(max=self.old - 1), embedding)
        embeds = torch.where(new[..., None], self.rows[(batch.input_ids - self.old).clamp(min=0)], embeds)
        mask = torch.zeros(batch.mask.shape, dtype=embeds.dtype, device=embeds.device).masked_fill_(~batch.mask, -1e30)
        hidden = self.lm.base_model.model.model(
            inputs_embeds=embeds, attention_mask=mask, position_ids=batch.position_ids, use_cache=False
        ).last_hidden_state
        wanted = batch.labels >= 0
        picked = hidden[wanted]
        logits = torch.cat([picked @ embedding.T.to(picked.dtype), picked @ self.rows.T.to(picked.dtype)], -1)
        return nn.functional.cross_entropy(logits.float(), batch.labels[wanted])

    def save(self, folder: Path) -> None:
        """Adapter and token rows in bf16, as safetensors."""
        from safetensors.torch import load_file, save_file

        self.lm.save_pretrained(folder)
        adapter = folder / "adapter_model.safetensors"
        save_file({name: tensor.to(torch.bfloat16) for name, tensor in load_file(adapter).items()}, adapter)
        save_file({"rows": self.rows.detach().to(torch.bfloat16)}, folder / "token_rows.safetensors")
        settings = folder / "adapter_config.json"
        settings.write_text(settings.read_text().replace(self.lm.peft_config["default"].base_model_name_or_path, NAME))
        for file in (adapter, folder / "token_rows.safetensors"):
            file.chmod(0o644)
        if not (folder / "policy.json").exists():
            (folder / "policy.json").write_text('{"threshold": 0.5, "temperature": 1.0}\n')
        (folder / "README.md").unlink(missing_ok=True)


def _produce(worker: int, workers: int, first: int, base: str, readings: str | None, queue) -> None:
    import random

    torch.set_num_threads(1)
    protocol = Protocol(load_tokenizer(Path(base)))
    stored = read_pages.load(Path(readings)) if readings else []
    for seed in range(first + worker, 1 << 40, workers):
        rng = random.Random(seed)
        reading = rng.choice(stored) if stored and rng.random() < 0.25 else None
        for tree in make_trees(seed, protocol, reading):
            queue.put(tree)


def stream(first: int, base: Path, readings: Path | None, workers: int = 1) -> Iterator[Tree]:
    """Trees of pages `first`, `first + 1`, … made in other processes."""
    context = multiprocessing.get_context("spawn")
    queue = context.Queue(maxsize=256)
    for worker in range(workers):
        context.Process(
            target=_produce,
            args=(worker, workers, first, str(base), str(readings) if readings else None, queue),
            daemon=True,
        ).start()
    while True:
        yield queue.get()


def load_tokenizer(base: Path):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.add_tokens(list(SPECIAL_TOKENS), special_tokens=True)
    return tokenizer


def train(
    base: Path, out: Path, minutes: float, seed: int, rate: float, tokens: int, init: Path | None, readings: Path | None
) -> dict:
    """Train for `minutes` of wall time with a warm-up and cosine schedule over time; returns what was measured."""
    torch.manual_seed(seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = TextModel(base, init=init).to(device)
    parameters = [p for p in model.parameters() if p.requires_grad]
    masters = [p.detach().float().clone() for p in parameters]  # bf16 in the model, fp32 for the optimizer
    optimizer = torch.optim.AdamW(masters, lr=rate, weight_decay=0.0, betas=(0.9, 0.98))
    started = saved = time.time()
    seen = steps = 0
    losses: list[float] = []
    curve: list[tuple[float, float]] = []
    out.mkdir(parents=True, exist_ok=True)
    for batch in batches(stream(seed * 1_000_000, base, readings), tokens, seed):
        done = (time.time() - started) / (60 * minutes)
        if done >= 1:
            break
        factor = min(1.0, done / 0.03 + 0.02) * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * done)))
        for group in optimizer.param_groups:
            group["lr"] = rate * factor
        batch = Batch(*(getattr(batch, name).to(device) for name in ("input_ids", "position_ids", "labels", "mask")))
        loss = model(batch)
        if not torch.isfinite(loss):
            raise RuntimeError(f"loss is {loss.item()} at step {steps}: go on with --init {out} and a lower --rate")
        model.zero_grad(set_to_none=True)
        loss.backward()
        for master, parameter in zip(masters, parameters, strict=True):
            master.grad = None if parameter.grad is None else parameter.grad.float()
        nn.utils.clip_grad_norm_(masters, 1.0)
        optimizer.step()
        with torch.no_grad():
            for master, parameter in zip(masters, parameters, strict=True):
                parameter.copy_(master)
        steps, seen = steps + 1, seen + batch.tokens
        losses.append(loss.item())
        if steps % 10 == 0:
            mean = sum(losses[-10:]) / 10
            curve.append((round((time.time() - started) / 60, 2), round(mean, 4)))
            print(
                f"step {steps} minute {curve[-1][0]:.1f} loss {mean:.4f} {seen / (time.time() - started):.0f} tokens/s",
                flush=True,
            )
        if time.time() - saved > 300:
            model.save(out)
            saved = time.time()
    model.save(out)
    result = {
        "command": " ".join(sys.argv),
        "seed": seed,
        "steps": steps,
        "tokens": seen,
        "minutes": round((time.time() - started) / 60, 1),
        "device": device,
        "curve": curve,
    }
    (out / "training.json").write_text(json.dumps(result))
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, required=True, help="directory of the converted base LM (p2g weights)")
    parser.add_argument("--out", type=Path, default=Path("runs/text"))
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=6e-4)
    parser.add_argument("--tokens", type=int, default=2400, help="padded tokens a step")
    parser.add_argument("--init", type=Path, help="go on from these weights")
    parser.add_argument("--readings", type=Path, help="pages really read by OCR, from policies.data.read_pages")
    args = parser.parse_args()
    print({k: v for k, v in train(**vars(args)).items() if k != "curve"})


if __name__ == "__main__":
    main()
