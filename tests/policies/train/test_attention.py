"""Attention for CPUs gives what the eager attention of transformers gives: values, gradients, with a cache, in bf16."""

import copy

import pytest
import torch
from transformers import LlamaForCausalLM

from policies.train.attention import register
from tests.policies.tiny import tiny_text


def models(dtype=torch.float32):
    config = tiny_text(hidden_size=48, num_attention_heads=6, num_key_value_heads=2)
    torch.manual_seed(0)
    plain = LlamaForCausalLM._from_config(copy.deepcopy(config), attn_implementation="eager", dtype=dtype)
    ours = LlamaForCausalLM._from_config(copy.deepcopy(config), attn_implementation=register(), dtype=dtype)
    ours.load_state_dict(plain.state_dict())
    assert ours.config._attn_implementation != plain.config._attn_implementation
    return plain, ours


def tree_mask(dtype):
    """A prefix of 4 and two branches of 3 that do not see each other."""
    seen = torch.ones(10, 10).tril().bool()
    seen[7:, 4:7] = False
    return torch.zeros(2, 1, 10, 10, dtype=dtype).masked_fill_(~seen, -1e30)


@pytest.mark.parametrize(("dtype", "close"), [(torch.float32, 1e-5), (torch.bfloat16, 0.03)])
def test_logits_and_gradients_are_those_of_eager_attention(dtype, close):
    ids = torch.randint(50, (2, 10), generator=torch.Generator().manual_seed(1))
    found = []
    for model in models(dtype):
        logits = model(ids, attention_mask=tree_mask(dtype)).logits.float()
        logits.square().mean().backward()
        found.append((logits.detach(), model.model.layers[0].self_attn.k_proj.weight.grad.float()))
    for plain, ours in zip(*found, strict=True):
        torch.testing.assert_close(ours, plain, atol=close * float(plain.abs().max()), rtol=0)


def test_without_a_mask_it_is_causal_and_a_cache_changes_nothing():
    plain, ours = models()
    ids = torch.randint(50, (1, 9), generator=torch.Generator().manual_seed(2))
    whole = plain(ids).logits
    torch.testing.assert_close(ours(ids).logits, whole, atol=1e-5, rtol=0)
    first = ours(ids[:, :5], use_cache=True)
    rest = ours(ids[:, 5:], past_key_values=first.past_key_values, use_cache=True).logits
    torch.testing.assert_close(rest, whole[:, 5:], atol=1e-5, rtol=0)
