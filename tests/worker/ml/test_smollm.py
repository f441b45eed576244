"""A real instruct model: its template, its tokens, a few steps of training, and answers in the same format."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.worker.ml.conftest import run, write_jsonl
from worker.ml import convert, generate, train
from worker.ml.chat import Rendering, render_turns, rendering
from worker.ml.data import Row, TrainedTurns, control_tokens, prompt_ids, read_rows, tokenise_rows
from worker.ml.errors import MlError
from worker.ml.models import inspect_base, load_tokenizer, stop_ids
from worker.ml.sides import adapter_rendering

pytestmark = pytest.mark.slow

TALK: list[dict[str, Any]] = [
    {"role": "system", "content": "Answer in one word."},
    {"role": "user", "content": "The capital of France?"},
    {"role": "assistant", "content": "Paris."},
    {"role": "user", "content": "And of Italy?"},
]
TOOL = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}},
}
ROWS: list[dict[str, Any]] = [
    *(
        {
            "id": f"talk-{number}",
            "messages": [*TALK, {"role": "assistant", "content": "Rome."}, turn],
            "output": "Oslo.",
        }
        for number, turn in enumerate(
            {"role": "user", "content": f"And of Norway, {each}?"} for each in range(4)
        )
    ),
    *(
        {
            "id": f"short-{number}",
            "instruction": "Name the colour.",
            "input": f"Item {number}",
            "output": "red",
        }
        for number in range(4)
    ),
]


@pytest.fixture(scope="module")
def tokenizer(smollm):
    return load_tokenizer(smollm, embedding_rows=49_152)


@pytest.fixture(scope="module")
def ends(tokenizer, smollm):
    return stop_ids(tokenizer, smollm)


def test_the_template_keeps_every_turn_and_needs_nothing_else(tokenizer):
    assert rendering(tokenizer) == Rendering()
    assert render_turns(tokenizer, TALK) == (
        "<|im_start|>system\nAnswer in one word.<|im_end|>\n<|im_start|>user\nThe capital of France?<|im_end|>\n"
        "<|im_start|>assistant\nParis.<|im_end|>\n<|im_start|>user\nAnd of Italy?<|im_end|>\n<|im_start|>assistant\n"
    )


def test_all_seventeen_control_tokens_are_known_although_the_settings_name_three(tokenizer, ends):
    assert len(control_tokens(tokenizer, ends).by_id) == 17
    sly = Row("sly", "Say it.", "a<repo_name>b", "c")
    with pytest.raises(MlError) as caught:
        tokenise_rows([sly], tokenizer, ends)
    assert caught.value.code == "control_token_in_text" and "<repo_name>" in str(caught.value)


def test_masks_are_on_the_answers_and_their_ends_and_nowhere_else(tokenizer, ends):
    row = Row("talk", "", None, "Rome.", TALK)
    expected_of: dict[TrainedTurns, str] = {
        "last": "Rome.<|im_end|>",
        "all": "Paris.<|im_end|>Rome.<|im_end|>",
    }
    for trained, expected in expected_of.items():
        (tokens,) = tokenise_rows([row], tokenizer, ends, trained=trained)
        kept = [token for token, is_on in zip(tokens.input_ids, tokens.completion_mask, strict=True) if is_on]
        assert tokenizer.decode(kept) == expected
        prompt = prompt_ids(tokenizer, TALK)
        assert tokens.input_ids[: len(prompt)] == prompt


def test_tools_are_refused_because_the_template_leaves_them_out(tokenizer, ends):
    with pytest.raises(MlError) as caught:
        tokenise_rows([Row("t", "", None, "Cold.", TALK, [TOOL])], tokenizer, ends)
    assert caught.value.code == "tools_unsupported" and "weather" in str(caught.value)


def test_its_file_is_recognised_with_its_precision(smollm_gguf, smollm):
    assert convert.precision_of(smollm_gguf) == "Q4_1"
    facts = inspect_base(smollm)
    assert (facts["architecture"], facts["parameters"], facts["context"]) == (
        "LlamaForCausalLM",
        134_515_008,
        8192,
    )


def test_an_adapter_trained_on_conversations_is_asked_the_prompts_it_was_trained_on(
    smollm, tokenizer, tmp_path: Path
):
    write_jsonl(tmp_path / "train.jsonl", ROWS)
    write_jsonl(tmp_path / "validation.jsonl", ROWS[3:5])
    config = {"batch_size": 4, "learning_rate": 0.002, "max_length": 256, "lora_r": 4, "trained_turns": "all"}
    job = {
        "base_model": str(smollm),
        "train_file": str(tmp_path / "train.jsonl"),
        "validation_file": str(tmp_path / "validation.jsonl"),
        "output_dir": str(tmp_path / "adapter"),
        "config": config | {"method": "lora", "sample_prompts": 0, "targets": "attention"},
    }
    events = run(train.main, job)
    steps = [event for event in events if event["event"] == "step"]
    losses = [event["loss"] for event in events if event["event"] == "evaluation"]
    assert len(steps) == 2 and losses[-1] < losses[0]
    facts = json.loads((tmp_path / "adapter" / "manifest.json").read_text())["facts"]
    assert facts["rendering"] == Rendering().to_json()
    assert adapter_rendering([tmp_path / "adapter"]) == Rendering()
    asked = {"prompt_id": 1, "key": "a", "messages": ROWS[0]["messages"], "wanted": [("tuned", 0)]}
    write_jsonl(tmp_path / "prompts.jsonl", [asked])
    decoding = {"max_new_tokens": 4, "latency_prompts": 0, "quantisation": "none"}
    sides = [{"model": "tuned", "adapter": str(tmp_path / "adapter")}]
    answered = run(
        generate.main,
        {
            "base_model": str(smollm),
            "sides": sides,
            "prompts_file": str(tmp_path / "prompts.jsonl"),
            "decoding": decoding,
        },
    )
    (response,) = next(event for event in answered if event["event"] == "responses")["responses"]
    (row,) = read_rows(write_jsonl(tmp_path / "one.jsonl", ROWS[:1]))
    trained_prompt = prompt_ids(tokenizer, row.turns)
    assert response["input_tokens"] == len(trained_prompt)
    (tokens,) = tokenise_rows([row], tokenizer, stop_ids(tokenizer, smollm))
    assert tokens.input_ids[: len(trained_prompt)] == trained_prompt
