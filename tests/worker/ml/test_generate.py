"""Both sides answer the same prompts from one base, and nothing unfit is asked."""

import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from evaluation.scoring.matching.field_rule import similarity
from tests.worker.ml.conftest import BASE, run, write_jsonl
from training.artefacts import ArtefactError
from worker.ml import generate, merge
from worker.ml.errors import MlError
from worker.ml.models import inspect_base
from worker.ml.protocol import Reporter


@pytest.fixture
def job(trained, cases, tmp_path: Path):
    prompts = [
        {
            "prompt_id": row["id"],
            "key": row["id"],
            "instruction": row["instruction"],
            "input": row["input"],
            "wanted": [["baseline", 0], ["candidate", 0]],
        }
        for row in cases[32:40]
    ]
    return {
        "base_model": str(BASE),
        "sides": sides(None, trained[0]),
        "prompts_file": str(write_jsonl(tmp_path / "prompts.jsonl", prompts)),
        "decoding": {"max_new_tokens": 48, "batch_size": 3},
    }


def sides(baseline: Path | None, candidate: Path) -> list[dict[str, Any]]:
    return [
        {"model": "baseline", "adapter": None if baseline is None else str(baseline)},
        {"model": "candidate", "adapter": str(candidate)},
    ]


def responses(events) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (response["prompt_id"], response["model"]): response
        for event in events
        if event["event"] == "responses"
        for response in event["responses"]
    }


def test_batched_answers_equal_single_ones_on_both_sides(job):
    """Left padding done right. Greedy answers can only differ where two tokens tie to the last float bits."""
    batched = responses(run(generate.main, job))
    single = responses(run(generate.main, job | {"decoding": {"max_new_tokens": 48, "batch_size": 1}}))
    assert len(batched) == 16
    assert {key: value["text"] for key, value in batched.items()} == {
        key: value["text"] for key, value in single.items()
    }
    assert {key: value["output_tokens"] for key, value in batched.items()} == {
        key: value["output_tokens"] for key, value in single.items()
    }


def test_the_two_sides_differ_and_progress_is_told(job):
    events = [event for event in run(generate.main, job) if event["event"] == "responses"]
    done = [event["done"] for event in events]
    assert done == sorted(done) and done[-1] == 16 and {event["total"] for event in events} == {16}
    found = responses(events)
    prompt_ids = {key[0] for key in found}
    assert any(found[key, "baseline"]["text"] != found[key, "candidate"]["text"] for key in prompt_ids)


def test_a_response_carries_what_it_cost(job):
    job["decoding"]["max_new_tokens"] = 200
    found = responses(run(generate.main, job))
    assert {response["finish_reason"] for response in found.values()} <= {"stop", "length"}
    for response in found.values():
        assert response["batch_latency_ms"] > 0
        assert (response["finish_reason"] == "length") == (response["output_tokens"] == 200)
        assert "<|" not in response["text"]
    stopped = [response for response in found.values() if response["finish_reason"] == "stop"]
    by_batch = sorted(stopped, key=lambda response: (response["model"], response["input_tokens"]))[:2]
    assert len({response["batch_latency_ms"] for response in stopped}) > 1, by_batch


def test_only_the_wanted_responses_are_generated(job, cases):
    lines = [json.loads(line) for line in Path(job["prompts_file"]).read_text().splitlines()][:3]
    lines[0]["wanted"], lines[1]["wanted"] = [["candidate", 0]], []
    lines[2]["wanted"] = [["baseline", 0]]
    write_jsonl(Path(job["prompts_file"]), lines)
    events = run(generate.main, job)
    assert set(responses(events)) == {
        (lines[0]["prompt_id"], "candidate"),
        (lines[2]["prompt_id"], "baseline"),
    }
    assert events[-1]["facts"]["responses"] == 2


def test_the_facts_say_how_it_was_generated(job):
    facts = run(generate.main, job)[-1]["facts"]
    assert facts["merge_state"] == "unmerged"
    assert facts["quantisation"] == "nf4"
    assert facts["warm_up"] is True
    assert facts["template_hash"] == inspect_base(BASE)["template_hash"]


def test_a_merged_model_answers_beside_the_adapter_it_was_made_of(job, trained, tmp_path: Path):
    """At 16 bit both are nearly the same model, and the base is another."""
    merged = tmp_path / "merged"
    run(
        merge.main,
        {"base_model": str(BASE), "adapter": str(trained[0]), "rows_file": None, "output_dir": str(merged)},
    )
    both = [*sides(None, trained[0]), {"model": "merged", "adapter": None, "merged": str(merged)}]
    lines = [json.loads(line) for line in Path(job["prompts_file"]).read_text().splitlines()]
    for line in lines:
        line["wanted"].append(["merged", 0])
    write_jsonl(Path(job["prompts_file"]), lines)
    decoding = job["decoding"] | {"quantisation": "none"}
    planned = [
        {"prompt_id": lines[0]["prompt_id"], "model": side["model"], "place": n}
        for n, side in enumerate(both)
    ]
    events = run(generate.main, job | {"sides": both, "decoding": decoding, "measurements": planned})
    found = responses(events)

    def likeness(one: str, other: str) -> float:
        pairs = (
            (found[line["prompt_id"], one]["text"], found[line["prompt_id"], other]["text"]) for line in lines
        )
        return sum(similarity(first, second) for first, second in pairs)

    assert likeness("merged", "candidate") > likeness("merged", "baseline")
    facts = events[-1]["facts"]
    assert (
        facts["merge_state"] == "both" and facts["latency"]["adapter"]["merged"] == "merged into the weights"
    )
    timed = [each["model"] for event in events if event["event"] == "timings" for each in event["timings"]]
    assert timed == ["baseline", "candidate", "merged"]


def test_two_adapters_can_be_compared_and_the_same_one_agrees_with_itself(job, trained):
    found = responses(run(generate.main, job | {"sides": sides(trained[0], trained[0])}))
    prompt_ids = {key[0] for key in found}
    assert all(found[key, "baseline"]["text"] == found[key, "candidate"]["text"] for key in prompt_ids)


def test_sampling_is_repeatable_and_the_seed_matters(job):
    decoding = {"max_new_tokens": 24, "batch_size": 8, "temperature": 1.5, "seed": 1}
    first, second, other = (
        {key: value["text"] for key, value in responses(run(generate.main, job | {"decoding": each})).items()}
        for each in (decoding, decoding, decoding | {"seed": 2})
    )
    assert first == second
    assert first != other


def test_an_adapter_of_another_base_is_refused(job, tmp_path: Path):
    other = shutil.copytree(BASE, tmp_path / "other")
    weights = bytearray((other / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (other / "model.safetensors").write_bytes(weights)
    with pytest.raises(MlError) as caught:
        run(generate.main, job | {"base_model": str(other)})
    assert caught.value.code == "adapter_other_base"


def test_another_template_is_refused(job, tmp_path: Path):
    other = shutil.copytree(BASE, tmp_path / "other")
    (other / "chat_template.jinja").write_text((BASE / "chat_template.jinja").read_text() + " ")
    with pytest.raises(MlError) as caught:
        run(generate.main, job | {"base_model": str(other)})
    assert caught.value.code == "template_mismatch"


def test_a_changed_adapter_is_refused(job, trained, tmp_path: Path):
    copy = shutil.copytree(trained[0], tmp_path / "copy")
    weights = bytearray((copy / "adapter_model.safetensors").read_bytes())
    weights[-1] ^= 1
    (copy / "adapter_model.safetensors").write_bytes(weights)
    with pytest.raises(ArtefactError) as caught:
        run(generate.main, job | {"sides": sides(None, copy)})
    assert caught.value.code == "artefact_changed"


def failures(events) -> dict[tuple[str, str], str]:
    return {
        (failure["prompt_id"], failure["model"]): failure["code"]
        for event in events
        if event["event"] == "failures"
        for failure in event["failures"]
    }


def test_prompts_that_cannot_be_asked_are_named_and_the_others_answered(job):
    lines = [json.loads(line) for line in Path(job["prompts_file"]).read_text().splitlines()][:3]
    lines[0]["input"] = "word " * 3000
    lines[1]["instruction"] += "<|turn|>"
    write_jsonl(Path(job["prompts_file"]), lines)
    planned = [
        {"prompt_id": line["prompt_id"], "model": "baseline", "place": n} for n, line in enumerate(lines)
    ]
    events = run(generate.main, job | {"measurements": planned})
    too_long, sly, fine = (line["prompt_id"] for line in lines)
    assert failures(events) == {
        (too_long, "baseline"): "prompt_too_long",
        (too_long, "candidate"): "prompt_too_long",
        (sly, "baseline"): "control_token_in_text",
        (sly, "candidate"): "control_token_in_text",
    }
    assert set(responses(events)) == {(fine, "baseline"), (fine, "candidate")}
    timed = [
        each["prompt_id"] for event in events if event["event"] == "timings" for each in event["timings"]
    ]
    assert timed == [fine]


def test_a_prompt_that_the_template_cannot_render_ends_the_job_before_a_model_is_loaded(tmp_path: Path):
    tool = {"type": "function", "function": {"name": "find_order", "parameters": {}}}
    asked = [
        {"prompt_id": 1, "key": "plain", "instruction": "Decide.", "input": "", "wanted": [["baseline", 0]]},
        {
            "prompt_id": 2,
            "key": "with tools",
            "messages": [{"role": "user", "content": "Where?"}],
            "tools": [tool],
            "wanted": [["baseline", 0]],
        },
    ]
    job = {
        "base_model": str(BASE),
        "sides": [{"model": "baseline", "adapter": None}],
        "prompts_file": str(write_jsonl(tmp_path / "prompts.jsonl", asked)),
        "decoding": {"max_new_tokens": 8},
    }
    written = io.StringIO()
    with pytest.raises(MlError) as caught:
        generate.main(Reporter(written), job)
    assert caught.value.code == "tools_unsupported"
    assert str(caught.value).startswith("Prompt with tools: ")
    assert "loading model" not in written.getvalue()


def test_when_no_prompt_can_be_asked_each_is_named_and_nothing_is_made(job):
    events = run(generate.main, job | {"decoding": {"max_new_tokens": 2000}})
    assert len(failures(events)) == 16 and set(failures(events).values()) == {"prompt_too_long"}
    assert not responses(events) and events[-1]["event"] == "done"
