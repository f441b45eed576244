"""One real run, and what must hold of every run."""

import json
from pathlib import Path

import pytest
import torch

from tests.worker.ml.conftest import BASE, run, training_job
from training.artefacts import ArtefactError, file_sha256, verify
from worker.ml import train
from worker.ml.adapters import require_effect
from worker.ml.data import read_rows, tokenise_rows
from worker.ml.errors import MlError
from worker.ml.models import inspect_base, load_base, load_tokenizer, stop_ids
from worker.ml.protocol import Cancelled, Reporter
from worker.ml.setup import set_up
from worker.ml.train_job import parse, read_inputs


def of(events, kind):
    return [event for event in events if event["event"] == kind]


def build(files: Path, target: Path, *, repack: bool = False, **config):
    """A trainer as the command builds it; `repack` brings the bitsandbytes defect back."""
    from bitsandbytes.nn import Linear4bit

    job = parse(training_job(files, target, **{"evaluate_every": 1, "lora_dropout": 0.1} | config))
    model = load_base(BASE, quantisation="nf4", device="cpu")
    for module in model.modules():
        if repack and isinstance(module, Linear4bit):
            module.support_avx512bf16_for_cpu = True
    with (target.parent / "events").open("w") as stream:
        return set_up(Reporter(stream), job, read_inputs(job), model, "cpu").trainer


def losses_of(trainer, reporter_file: Path, *, evaluate: bool) -> list[float]:
    """Losses of four steps, with evaluations before and between them or with none at all."""
    trainer.args.eval_on_start = evaluate
    (recorder,) = [each for each in trainer.callback_handler.callbacks if hasattr(each, "raise_if_stopped")]
    with reporter_file.open("w") as stream:
        recorder._reporter = recorder._answers._reporter = Reporter(stream)
        if not evaluate:
            trainer.remove_callback(recorder)
        trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def test_events_come_in_order_with_an_evaluation_before_and_after(trained):
    _, events = trained
    unordered = ("heartbeat", "samples")
    told = [(event["event"], event.get("step")) for event in events if event["event"] not in unordered]
    start = told.index(("stage", None), 2)  # checking inputs, loading model, training
    assert told[start + 1 : start + 8] == [
        ("evaluation", 0),
        ("step", 1),
        ("step", 2),
        ("evaluation", 2),
        ("checkpoint", 2),
        ("step", 3),
        ("step", 4),
    ]
    assert told[start + 8] == ("evaluation", 4)
    assert told[-1] == ("done", None)


def test_every_step_carries_its_figures(trained, files):
    _, events = trained
    steps = of(events, "step")
    tokenizer = load_tokenizer(BASE, embedding_rows=10**6)
    rows = tokenise_rows(read_rows(files / "train.jsonl"), tokenizer, stop_ids(tokenizer, BASE), 512)
    assert steps[-1]["tokens"] == sum(len(row.input_ids) for row in rows)
    assert [step["total_steps"] for step in steps] == [4] * 4
    assert all(0 <= step["token_accuracy"] <= 1 and step["grad_norm"] > 0 for step in steps)
    assert sorted(step["seconds"] for step in steps) == [step["seconds"] for step in steps]
    assert steps[-1]["epoch"] == 1


def test_validation_improves_in_four_steps(trained):
    evaluations = of(trained[1], "evaluation")
    assert evaluations[-1]["loss"] < evaluations[0]["loss"]
    assert evaluations[-1]["token_accuracy"] > evaluations[0]["token_accuracy"]


def test_the_manifest_tells_where_the_adapter_comes_from(trained, files):
    target, events = trained
    facts = verify(target)
    assert facts["base"]["sha256"] == inspect_base(BASE)["sha256"]
    assert facts["template_hash"] == inspect_base(BASE)["template_hash"]
    assert facts["datasets"]["train"] == {
        "rows": 16,
        "sha256": file_sha256(files / "train.jsonl"),
        "dropped": {"rows": 0, "first": []},
    }
    assert facts["quantisation"] == "nf4"
    assert facts["adapter"]["lora_b_max"] > 0
    assert facts["config"]["learning_rate"] == 0.01
    assert facts["metrics"]["validation"]["end"]["loss"] == of(events, "evaluation")[-1]["loss"]
    assert facts["metrics"]["train"]["start"]["loss"] == of(events, "step")[0]["loss"]
    done = events[-1]["facts"]
    assert done.pop("manifest_sha256") == file_sha256(target / "manifest.json")
    assert done == facts


def test_the_artefact_holds_only_the_adapter_and_names_no_folder_of_this_machine(trained):
    target, _ = trained
    assert sorted(path.name for path in target.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
        "manifest.json",
    ]
    assert json.loads((target / "adapter_config.json").read_text())["base_model_name_or_path"] == "base"
    assert str(BASE.parent) not in (target / "manifest.json").read_text()
    left = sorted(path.relative_to(target.parent).as_posix() for path in target.parent.glob("*/*"))
    assert [name for name in left if not name.startswith("adapter/")] == ["checkpoints/step-0000000002"]


def test_the_adapter_is_fp32_on_every_linear_layer(trained):
    from safetensors.torch import load_file

    weights = load_file(trained[0] / "adapter_model.safetensors")
    assert len(weights) == 4 * 7 * 2
    assert {tensor.dtype for tensor in weights.values()} == {torch.float32}
    assert all(tensor.abs().max() > 0 for name, tensor in weights.items() if "lora_B" in name)


def test_evaluating_while_training_changes_no_loss(files, tmp_path):
    plain = losses_of(build(files, tmp_path / "a"), tmp_path / "e", evaluate=False)
    evaluated = losses_of(build(files, tmp_path / "b"), tmp_path / "e", evaluate=True)
    assert len(plain) == 4
    assert plain == evaluated


def test_without_the_workaround_evaluating_spoils_training(files, tmp_path):
    from bitsandbytes.nn.modules import has_avx512bf16

    if not has_avx512bf16():
        pytest.skip("this CPU has no AVX512-BF16, so bitsandbytes repacks nothing")
    plain = losses_of(build(files, tmp_path / "a"), tmp_path / "e", evaluate=False)
    spoilt = losses_of(build(files, tmp_path / "b", repack=True), tmp_path / "e", evaluate=True)
    assert plain != spoilt


def test_the_trainer_takes_the_loss_where_the_mask_says(files, tmp_path):
    trainer = build(files, tmp_path / "a")
    tokenizer = load_tokenizer(BASE, embedding_rows=10**6)
    rows = tokenise_rows(read_rows(files / "train.jsonl"), tokenizer, stop_ids(tokenizer, BASE), 512)
    for row, prepared in zip(rows, trainer.train_dataset, strict=True):
        expected = [
            token if scored else -100
            for token, scored in zip(row.input_ids, row.completion_mask, strict=True)
        ]
        assert prepared["labels"] == expected


def test_an_evaluation_begins_with_the_longest_row_and_keeps_no_logits(files, tmp_path):
    """What would run out of memory does so before the first step, and no later for having kept what it computed."""
    trainer = build(files, tmp_path / "a", batching="padded")
    lengths = [len(row["input_ids"]) for row in trainer.eval_dataset]
    batches = trainer.get_eval_dataloader()
    first = next(iter(batches))
    assert first["input_ids"].shape[1] == max(lengths) > min(lengths)
    said = {"description": "evaluation", "metric_key_prefix": "eval"}
    assert trainer.evaluation_loop(batches, **said).predictions is None
    kept = trainer.evaluation_loop(batches, prediction_loss_only=False, **said).predictions
    assert kept is not None, "the control: they are there to be kept"


def weights(folder: Path) -> str:
    return file_sha256(folder / "adapter_model.safetensors")


class StopsAfterTwo(Reporter):
    """A supervisor that asks to stop after the checkpoint of step 2, so at the end of step 3."""

    def emit(self, event, **fields):
        super().emit(event, **fields)
        self.stop_requested = self.stop_requested or event == "checkpoint"


def test_a_resumed_run_equals_an_uninterrupted_one(trained, job):
    with pytest.raises(Cancelled) as caught:
        run(train.main, job, StopsAfterTwo)
    assert caught.value.facts["step"] == 3
    assert not Path(job["output_dir"]).exists()
    events = run(train.main, job | {"resume_from": caught.value.facts["checkpoint"]})
    assert [step["step"] for step in of(events, "step")] == [4]
    (last,), whole = of(events, "step"), of(trained[1], "step")[3]
    for name in ("loss", "token_accuracy", "grad_norm", "learning_rate", "tokens"):
        assert last[name] == whole[name], name
    assert of(events, "evaluation")[-1] == of(trained[1], "evaluation")[-1]
    told_again = [step for event in of(events, "history") for step in event["steps"]]
    assert [step["loss"] for step in told_again] == [step["loss"] for step in of(trained[1], "step")[:3]]
    assert weights(Path(job["output_dir"])) == weights(trained[0])


def test_lora_without_quantisation_trains_too(job):
    job["config"] |= {"method": "lora", "epochs": 0.5, "evaluate_every": 0}
    facts = run(train.main, job)[-1]["facts"]
    assert facts["quantisation"] == "none"
    assert facts["metrics"]["steps"] == 2


def test_an_adapter_that_changes_nothing_is_refused(trained):
    from peft import PeftModel

    model = PeftModel.from_pretrained(load_base(BASE, quantisation="nf4", device="cpu"), trained[0])
    assert require_effect(model, [5, 6, 7])["logit_difference"] > 0
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.zero_()
    with pytest.raises(MlError) as caught:
        require_effect(model, [5, 6, 7])
    assert caught.value.code == "adapter_not_applied"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"train_file": "/nowhere.jsonl"}, "data_missing"),
        ({"surprise": 1}, "job_invalid"),
        ({"config": {"batch_size": 0}}, "job_invalid"),
        ({"config": {"max_length": 100_000}}, "max_length_too_long"),
        ({"config": {"max_length": 64}}, "rows_too_long"),
        ({"resume_from": "/nowhere"}, "artefact_missing"),
        ({"base_model": "/nowhere"}, "model_missing"),
    ],
)
def test_a_bad_job_is_refused_before_loading_anything(job, change, code):
    with pytest.raises((MlError, ArtefactError)) as caught:
        run(train.main, job | change)
    assert getattr(caught.value, "code", None) == code


def test_a_finished_artefact_is_never_overwritten(trained, job):
    with pytest.raises(ArtefactError) as caught:
        run(train.main, job | {"output_dir": str(trained[0])})
    assert caught.value.code == "artefact_exists"


def test_a_loss_that_is_no_number_ends_the_run(job):
    job["base_model"] = str(_explosive(Path(job["output_dir"]).parent / "explosive"))
    with pytest.raises(MlError) as caught:
        run(train.main, job)
    assert caught.value.code == "loss_not_finite"


def _explosive(folder: Path) -> Path:
    """The demo base with one weight that overflows, so that its loss is not a number."""
    import shutil

    from safetensors.torch import load_file, save_file

    shutil.copytree(BASE, folder)
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"][0] = float("inf")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def test_rows_that_do_not_fit_are_left_out_when_asked_and_recorded(files, tmp_path):
    """The default refuses them; `long_rows: drop` reads the others and says which are missing."""
    every = read_inputs(parse(training_job(files, tmp_path / "all")))
    lengths = sorted(len(row.input_ids) for split in every.splits.values() for row in split)
    limit = lengths[len(lengths) // 2]
    assert [dropped["rows"] for dropped in every.dropped.values()] == [0, 0]
    asked = read_inputs(parse(training_job(files, tmp_path / "drop", max_length=limit, long_rows="drop")))
    for name, split in asked.splits.items():
        assert max(len(row.input_ids) for row in split) <= limit
        assert len(split) + asked.dropped[name]["rows"] == len(every.splits[name])
        assert {row["tokens"] > limit for row in asked.dropped[name]["first"]} == {True}
    with pytest.raises(MlError) as caught:
        read_inputs(parse(training_job(files, tmp_path / "refuse", max_length=limit)))
    assert caught.value.code == "rows_too_long"
