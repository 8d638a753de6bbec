"""What learns: a `P2GModel` with its LoRA (or all of its LM) and the rows of the special tokens, seen as logits.

Only positions with a target go through the head, and only the new rows of the embedding (tied to the head) may learn,
so that the base's own vocabulary stays as it is and training fits on two CPU cores. What is frozen is bf16.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from policies.config import SPECIAL_TOKENS, P2GConfig
from policies.model import P2GModel
from policies.train.attention import register as register_attention
from policies.train.packing import Batch
from policies.train.recipe import ModelRecipe, Rates, StageRecipe, TinyLanguage
from policies.train.towers import load_tower
from policies.train.weights import LANGUAGE, attach_lora, load_weights
from tools.errors import UsageError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Learner(nn.Module):
    """`model` with everything frozen but what `rates` let learn; `rows` `[len(SPECIAL_TOKENS), D]` are kept apart.

    Call it with a `Batch` for logits `[N, V]` of `batch.targets`, V with the special tokens at the end; with `words`
    for what `likeness` gives.
    """

    def __init__(self, model: P2GModel, old: int, rows: Tensor) -> None:
        super().__init__()
        self.model = model
        self.old = old
        self.rows = nn.Parameter(rows)
        self.own_language = False  # the LM is not the plain base: it was trained in full before
        self._middle: Tensor | None = None

    @property
    def config(self) -> P2GConfig:
        return self.model.config

    def forward(self, batch: Batch, words: Tensor | None = None) -> Tensor:
        if words is not None:
            return self.likeness(batch, words)
        embeds = self.model.embed(batch.input_ids, visuals=batch.visuals)
        new = batch.input_ids >= self.old
        if batch.visuals is not None:  # what stands at placeholders is in place already
            for token in (self.config.image_token_id, self.config.region_token_id):
                new &= batch.input_ids != token
        rows = self.rows.to(embeds.dtype)
        embeds = torch.where(new[..., None], rows[(batch.input_ids - self.old).clamp(min=0)], embeds)
        mask = torch.zeros(batch.mask.shape, dtype=embeds.dtype, device=embeds.device).masked_fill_(~batch.mask, -1e30)
        hidden = self.trunk(
            inputs_embeds=embeds, attention_mask=mask, position_ids=batch.position_ids, use_cache=False
        ).last_hidden_state
        picked = hidden[batch.labels >= 0]
        table: Any = self.model.get_output_embeddings()
        head = table.weight[: self.old]
        return torch.cat([picked @ head.T.to(picked.dtype), picked @ rows.T.to(picked.dtype)], -1)

    def likeness(self, batch: Batch, words: Tensor) -> Tensor:
        """`[2, N, W + 1]` for the N pictures of `batch` through the MLP and the resampler: the cosine of their mean
        token and the embedding of each of W `words` (ids), and last the length of their tokens against that of a word.

        Both are measured from the mean of all words, which says nothing.
        """
        if batch.visuals is None:
            raise UsageError("words are learned from pictures: give this stage a source of words")
        table = self.model.get_input_embeddings().weight.detach()
        if self._middle is None:
            self._middle = table[: self.old].float().mean(0)
        named = table[words].float() - self._middle
        features = self.model.vision_features(batch.visuals.pictures)
        out = []
        for module in (self.model.projector, self.model.resampler):
            assert module is not None
            tokens = module(features).float() - self._middle
            cosines = nn.functional.normalize(tokens.mean(1), dim=-1) @ nn.functional.normalize(named, dim=-1).T
            lengths = tokens.norm(dim=-1).mean(1, keepdim=True) / named.norm(dim=-1).mean()
            out.append(torch.cat([cosines, lengths], -1))
        return torch.stack(out)

    @property
    def trunk(self) -> nn.Module:
        """The LM without its head."""
        lm: Any = self.model.language_model
        return (lm.base_model.model if hasattr(lm, "peft_config") else lm).model

    def parts(self) -> dict[str, dict[str, nn.Parameter]]:
        """Trainable parameters of `language`, `projectors`, `tower` and `rows` by name."""
        found: dict[str, dict[str, nn.Parameter]] = {part: {} for part in Rates.model_fields}
        for name, parameter in self.named_parameters():
            if parameter.requires_grad:
                found[part_of(name)][name] = parameter
        return found

    def freeze(self, rates: Rates) -> None:
        """Only parts with a rate learn. A tied embedding stays: its new rows are `rows`."""
        lora = hasattr(self.model.language_model, "peft_config")
        for name, parameter in self.named_parameters():
            learns = getattr(rates, part_of(name)) > 0
            if part_of(name) == "language":
                learns &= "lora_" in name if lora else "embed_tokens" not in name and "lm_head" not in name
            parameter.requires_grad_(learns)
        if not any(p.requires_grad for p in self.parameters()):
            raise UsageError("nothing learns: give a rate above 0 to language, projectors, tower or rows")

    def train(self, mode: bool = True) -> Learner:
        """The tower keeps the statistics of evaluation (BatchNorm)."""
        super().train(mode)
        if self.model.vision_tower is not None:
            self.model.vision_tower.eval()
        return self


def part_of(name: str) -> str:
    """The part of the recipe's rates that a parameter belongs to."""
    if name == "rows":
        return "rows"
    top = name.removeprefix("model.").split(".")[0]
    return {"language_model": "language", "vision_tower": "tower"}.get(top, "projectors")


def load_tokenizer(base: Path) -> PreTrainedTokenizerBase:
    """The base's tokenizer with the special tokens."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    known = tokenizer.get_vocab()
    tokenizer.add_tokens([token for token in SPECIAL_TOKENS if token not in known], special_tokens=True)
    return tokenizer


def make_learner(model: ModelRecipe, stage: StageRecipe, base: Path, init: Path | None, device: str) -> Learner:
    """The base LM with a tower as `model` says, LoRA as `stage` says, and the weights of folder `init` if given."""
    dtype = torch.bfloat16 if stage.precision == "bf16" else torch.float32
    tokenizer = load_tokenizer(base)
    ids: Any = tokenizer.convert_tokens_to_ids(list(SPECIAL_TOKENS))
    old = min(ids)
    if ids != list(range(old, len(tokenizer))):
        raise UsageError(f"the special tokens are not the last of the tokenizer in {base}: take the plain one")
    attention = "sdpa" if device.startswith("cuda") else register_attention()
    own = init is not None and (init / LANGUAGE).is_dir()  # trained in full before
    if init is not None and own:
        language = _loaded(init / LANGUAGE, dtype, attention)
    else:
        language = _tiny(model.tiny, old, dtype, attention) if model.tiny else _loaded(base, dtype, attention)
    tower, settings = load_tower(model.tower) if model.tower else None, dict(model.region)
    if tower is None and model.vision is not None:
        settings["vision_config"] = model.vision
    whole: Any = P2GModel(
        P2GConfig(text_config=language.config, **settings), language_model=language, vision_tower=tower
    )
    whole.add_special_tokens(tokenizer)
    whole.to(dtype)
    if model.gradient_checkpointing:
        language.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    table = language.get_input_embeddings().weight.detach()
    mean = table[:old].float().mean(0)
    rows = mean + 0.02 * torch.randn(len(SPECIAL_TOKENS), len(mean), generator=torch.Generator().manual_seed(0))
    learner = Learner(whole, old, rows.to(dtype))
    learner.own_language = own
    attach_lora(learner, stage, init)
    if init is not None:
        load_weights(learner, init)
    learner.freeze(stage.rates)
    return learner.to(device).train()  # or a new tower would go by the statistics of its batches


def _loaded(folder: Path, dtype: torch.dtype, attention: str) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation=attention)


def _tiny(size: TinyLanguage, vocabulary: int, dtype: torch.dtype, attention: str) -> Any:
    from transformers import AutoModelForCausalLM, LlamaConfig

    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=size.hidden_size,
        intermediate_size=2 * size.hidden_size,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.heads,
        max_position_embeddings=8192,
        tie_word_embeddings=True,
    )
    return AutoModelForCausalLM.from_config(config, dtype=dtype, attn_implementation=attention)
