"""Rows laid end to end are computed as if each were alone, in every family of models that may be trained."""

import pytest
import torch
import transformers
from transformers import AutoModelForCausalLM

from training.model_folder import ARCHITECTURES
from worker.ml.attention import attend_row_by_row

# Gemma 2 caps the scores of its attention, StableLM does not tell it how long the rows are.
PADDED = {"Gemma2ForCausalLM", "StableLmForCausalLM"}
LENGTHS = [5, 23, 11]


def tiny(architecture):
    family = architecture.removesuffix("ForCausalLM")
    config = getattr(transformers, {"Gemma3": "Gemma3TextConfig"}.get(family, f"{family}Config"))
    shape = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "head_dim": 16}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 200}
    ids = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 2}
    torch.manual_seed(0)
    # A window shorter than most rows: a model that has one must look through it.
    return AutoModelForCausalLM.from_config(config(**shape, **heads, **ids, sliding_window=7))


def logits(model, ids, **kwargs):
    return model(input_ids=ids[None], use_cache=False, **kwargs).logits[0]


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES - PADDED))
def test_rows_end_to_end_are_computed_as_if_each_were_alone(architecture):
    model = tiny(architecture)
    rows = [torch.randint(3, 200, (length,)) for length in LENGTHS]
    alone = torch.cat([logits(model, row) for row in rows])
    alone.square().sum().backward()
    gradient = model.get_input_embeddings().weight.grad.clone()
    model.zero_grad()

    assert attend_row_by_row(model)
    laid = torch.cat(rows)
    positions = torch.cat([torch.arange(length) for length in LENGTHS])[None]
    together = logits(model, laid, position_ids=positions, row_lengths=LENGTHS)
    together.square().sum().backward()
    torch.testing.assert_close(together, alone)
    torch.testing.assert_close(model.get_input_embeddings().weight.grad, gradient, rtol=1e-4, atol=1e-5)

    # The control: were the lengths not known, the rows would see each other.
    assert (logits(model, laid, position_ids=positions) - alone).abs().max() > 0.01
    # Without lengths the model computes batches as before.
    torch.testing.assert_close(torch.cat([logits(model, row) for row in rows]), alone)


@pytest.mark.parametrize("architecture", sorted(PADDED))
def test_a_model_that_cannot_is_left_as_it_was(architecture):
    model = tiny(architecture)
    before = model.config._attn_implementation
    assert not attend_row_by_row(model)
    assert model.config._attn_implementation == before
