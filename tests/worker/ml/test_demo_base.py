"""The demonstration's base model: small, honest, and as careless as it is meant to be."""

import json
from pathlib import Path

import torch

from tests.worker.ml.conftest import BASE
from worker.ml.chat import prompt_messages
from worker.ml.data import prompt_ids
from worker.ml.demo import base_model
from worker.ml.models import inspect_base, load_base, load_tokenizer


def test_it_is_small_and_says_what_it_is():
    assert sum(path.stat().st_size for path in BASE.iterdir()) <= 8 * 2**20
    assert "not for use" in (BASE / "README.md").read_text().lower()
    assert {path.suffix for path in BASE.iterdir()} <= {".json", ".safetensors", ".jinja", ".md"}


def test_it_answers_a_case_in_fluent_json_with_words_the_policy_does_not_know(cases):
    tokenizer = load_tokenizer(BASE, embedding_rows=10**6)
    model = load_base(BASE, quantisation="none", device="cpu")
    turns = prompt_messages(cases[0]["instruction"], cases[0]["input"])
    ids = torch.tensor([prompt_ids(tokenizer, turns)])
    answer = tokenizer.decode(
        model.generate(ids, max_new_tokens=400)[0, ids.shape[1] :], skip_special_tokens=True
    )
    output = json.loads(answer)
    assert list(output) == list(cases[0]["output"])
    assert len(output["customer_response"]) > len(cases[0]["output"]["customer_response"])


def test_its_maker_makes_a_folder_that_passes_every_check(tmp_path: Path):
    base_model.make(tmp_path / "base", steps=2)
    assert inspect_base(tmp_path / "base")["architecture"] == "Qwen3ForCausalLM"
    shipped = json.loads((BASE / "config.json").read_text())
    made = json.loads((tmp_path / "base" / "config.json").read_text())
    assert made == shipped
