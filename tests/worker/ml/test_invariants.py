"""Configurations that must mean the same give the same losses, and every kind of adapter trains and comes back."""

import json
from pathlib import Path

import pytest
import torch

from tests.worker.ml.conftest import BASE, run, training_job
from training.artefacts import verify
from worker.ml import train
from worker.ml.errors import MlError
from worker.ml.models import load_base
from worker.ml.protocol import Cancelled, Reporter

QUICK = {"method": "lora", "lora_dropout": 0.0, "evaluate_every": 0, "sample_prompts": 0}


def trained_with(files: Path, target: Path, **config):
    events = run(train.main, training_job(files, target / "adapter", **QUICK | config))
    return [event for event in events if event["event"] == "step"], events


def losses(steps):
    return torch.tensor([step["loss"] for step in steps], dtype=torch.float64)


@pytest.fixture(scope="module")
def plain(files, tmp_path_factory):
    return trained_with(files, tmp_path_factory.mktemp("plain"))


@pytest.mark.parametrize(
    "same", [{"batch_size": 1, "gradient_accumulation": 4}, {"batching": "padded"}], ids=str
)
def test_accumulated_and_padded_batches_give_the_losses_of_padding_free_ones(plain, files, tmp_path, same):
    steps, events = plain
    others, other_events = trained_with(files, tmp_path / "other", **same)
    assert len(steps) == len(others) == 4
    torch.testing.assert_close(losses(others), losses(steps), rtol=2e-4, atol=0)
    assert [step["tokens"] for step in others] == [step["tokens"] for step in steps]
    if "batching" in same:  # a validation's loss is a mean over its batches
        torch.testing.assert_close(validations(other_events), validations(events), rtol=2e-4, atol=0)


def validations(events):
    return torch.tensor([event["loss"] for event in events if event["event"] == "evaluation"])


def test_another_order_gives_other_losses(plain, files, tmp_path):
    """The control: the comparison above would see rows that are not the same."""
    others, _ = trained_with(files, tmp_path, seed=21)
    assert (losses(others) - losses(plain[0])).abs().max() > 0.01


@pytest.mark.parametrize(
    ("config", "modules"),
    [
        ({"rslora": True}, 7),
        ({"dora": True}, 7),
        ({"initialisation": "pissa"}, 7),
        ({"initialisation": "pissa", "rslora": True, "learning_rate": 1e-3}, 7),
        ({"targets": "attention"}, 4),
        ({"targets": "q_proj, v_proj"}, 2),
        ({"optimizer": "adamw_8bit"}, 7),
        ({"method": "qlora", "dora": True, "lora_dropout": 0.1}, 7),
    ],
    ids=str,
)
def test_every_kind_of_adapter_trains_and_answers_alike_when_it_is_loaded(files, tmp_path, config, modules):
    from peft import PeftModel
    from safetensors.torch import load_file

    job = training_job(files, tmp_path / "adapter", **QUICK | config | {"lora_r": 4, "epochs": 0.5})
    events = run(train.main, job)
    facts = verify(tmp_path / "adapter")
    weights = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    assert len([name for name in weights if "lora_A" in name]) == 4 * modules
    quantisation = facts["quantisation"]
    loaded = PeftModel.from_pretrained(
        load_base(BASE, quantisation=quantisation, device="cpu"), tmp_path / "adapter"
    )
    measured = loss_on_validation(loaded, files)
    reported = [event for event in events if event["event"] == "evaluation"][-1]["loss"]
    assert measured == pytest.approx(reported, rel=2e-3)
    assert measured < next(event for event in events if event["event"] == "evaluation")["loss"]


def loss_on_validation(model, files):
    """Mean over batches of 4, longest rows first: what the trainer's own evaluation computes."""
    from worker.ml.data import read_rows, tokenise_rows
    from worker.ml.models import load_tokenizer, stop_ids

    tokenizer = load_tokenizer(BASE, embedding_rows=10**6)
    rows = tokenise_rows(read_rows(files / "validation.jsonl"), tokenizer, stop_ids(tokenizer, BASE), 512)
    rows.sort(key=lambda row: len(row.input_ids), reverse=True)
    means = []
    model.eval()
    for start in range(0, len(rows), 4):
        total, count = 0.0, 0
        for row in rows[start : start + 4]:
            ids = torch.tensor([row.input_ids])
            with torch.no_grad():
                logits = model(input_ids=ids).logits[0, :-1].float()
            mask = torch.tensor(row.completion_mask, dtype=torch.bool)[1:]
            each = torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="none")
            total, count = total + float(each[mask].sum()), count + int(mask.sum())
        means.append(total / count)
    return sum(means) / len(means)


def test_layers_that_the_model_does_not_have_are_named(job):
    job["config"] |= {"targets": "q_proj, query_key_value"}
    with pytest.raises(MlError) as caught:
        run(train.main, job)
    assert caught.value.code == "targets_missing"
    assert "query_key_value" in str(caught.value) and "v_proj" in str(caught.value)


def test_without_progress_the_run_stops_and_keeps_the_best_adapter(files, tmp_path):
    """Steps that are far too long: the loss soon goes up and down."""
    far = {"learning_rate": 0.1, "lora_alpha": 128, "schedule": "constant", "epochs": 20.0}
    job = training_job(
        files,
        tmp_path / "attempt-1" / "adapter",
        **QUICK | far | {"patience": 2, "evaluate_every": 1},
    )
    events = run(train.main, job)
    evaluations = [event for event in events if event["event"] == "evaluation"][1:]
    best = min(evaluations, key=lambda event: event["loss"])
    metrics = events[-1]["facts"]["metrics"]
    assert metrics["ended_by"] == "patience" and metrics["steps"] < metrics["planned_steps"] == 80
    assert evaluations.index(best) == len(evaluations) - 3
    assert metrics["kept_step"] == best["step"] and metrics["validation"]["end"]["loss"] == best["loss"]
    from safetensors.torch import load_file

    checkpoint = tmp_path / "attempt-1" / "checkpoints" / f"step-{best['step']:010}"
    kept = load_file(tmp_path / "attempt-1" / "adapter" / "adapter_model.safetensors")
    saved = load_file(checkpoint / "adapter_model.safetensors")
    assert all(torch.equal(kept[name], saved[name]) for name in kept)


@pytest.mark.parametrize(("warmup", "steps"), [(0.0, 1), (0.1, 2)])
def test_a_run_that_has_used_its_hours_ends_with_what_it_has_learnt(job, warmup, steps):
    """Hours that the first step uses up, on the fastest machine too; with warm-up it has learnt nothing yet."""
    job["config"] |= QUICK | {"epochs": 100.0, "max_hours": 1e-9, "warmup_fraction": warmup}
    done = run(train.main, job)[-1]["facts"]
    metrics = done["metrics"]
    assert (metrics["ended_by"], metrics["steps"], metrics["planned_steps"]) == ("time", steps, 400)
    assert metrics["validation"]["end"]["step"] == steps
    assert done["adapter"]["lora_b_max"] > 0


def test_a_run_of_a_single_step_learns_in_spite_of_warm_up(job):
    job["config"] |= QUICK | {"epochs": 0.01, "warmup_fraction": 0.5}
    done = run(train.main, job)[-1]["facts"]
    assert done["metrics"]["steps"] == 1 and done["adapter"]["lora_b_max"] > 0


def test_what_has_learnt_nothing_yet_is_never_the_best(job):
    """After the first step of warm-up the model is the base itself; here every later step makes it worse."""
    worse = {"learning_rate": 0.1, "lora_alpha": 256, "warmup_fraction": 0.001, "epochs": 5.0}
    job["config"] |= QUICK | worse | {"patience": 3, "evaluate_every": 1, "keep_checkpoints": 1}
    events = run(train.main, job)
    untrained, after_warm_up, *trained = (event["loss"] for event in events if event["event"] == "evaluation")
    assert untrained == after_warm_up < min(trained)
    assert events[-1]["facts"]["metrics"]["kept_step"] >= 2


def test_samples_are_the_same_prompts_at_every_evaluation(trained, files):
    asked = [event for event in trained[1] if event["event"] == "samples"]
    assert [event["step"] for event in asked] == [0, 2, 4]
    rows = [json.loads(line) for line in (files / "validation.jsonl").read_text().splitlines()]
    for event in asked:
        assert [sample["row_id"] for sample in event["samples"]] == [str(row["id"]) for row in rows[:3]]
        assert all(rows[0]["instruction"] in sample["prompt"] for sample in event["samples"])
    assert asked[0]["samples"][0]["text"] != asked[-1]["samples"][0]["text"]


class StopsInEvaluation(Reporter):
    """A supervisor that asks to stop after step 2, which the run hears in the evaluation that is due then."""

    def emit(self, event, **fields):
        super().emit(event, **fields)
        self.stop_requested = self.stop_requested or (event == "step" and fields["step"] == 2)


def test_stopped_within_an_evaluation_the_run_saves_and_the_resumed_one_makes_it_good(trained, job):
    with pytest.raises(Cancelled) as caught:
        run(train.main, job, StopsInEvaluation)
    assert caught.value.facts["step"] == 2
    events = run(train.main, job | {"resume_from": caught.value.facts["checkpoint"]})
    told = [(event["event"], event["step"]) for event in events if event["event"] in ("evaluation", "step")]
    assert told == [("evaluation", 2), ("step", 3), ("step", 4), ("evaluation", 4)]
    whole = [event for event in trained[1] if event["event"] == "evaluation"]
    assert [event for event in events if event["event"] == "evaluation"] == whole[1:]


def test_a_checkpoint_of_other_data_or_with_a_pickle_that_acts_is_refused(job, tmp_path, files):
    job["config"] |= {"checkpoint_every": 1}
    run(train.main, job)
    checkpoint = tmp_path / "checkpoints" / "step-0000000001"
    other = job | {"output_dir": str(tmp_path / "b"), "resume_from": str(checkpoint)}
    with pytest.raises(MlError) as caught:
        run(train.main, other | {"train_file": str(files / "validation.jsonl")})
    assert caught.value.code == "checkpoint_other_run" and "training data" in str(caught.value)

    import pickle
    import shutil

    from training.artefacts import publish

    canary = tmp_path / "fired"

    class Acts:
        def __reduce__(self):
            return Path.touch, (canary,)

    facts = verify(checkpoint)

    def forge(folder):
        for file in checkpoint.iterdir():
            if file.name != "manifest.json":
                shutil.copy(file, folder)
        (folder / "optimizer.pt").write_bytes(pickle.dumps(Acts()))
        return facts

    publish(tmp_path / "forged", forge)
    with pytest.raises(Exception, match=r"(?i)weights.only"):
        run(train.main, other | {"resume_from": str(tmp_path / "forged")})
    assert not canary.exists()
    pickle.loads((tmp_path / "forged" / "optimizer.pt").read_bytes())  # noqa: S301 (the control: it would have acted)
    assert canary.exists()
