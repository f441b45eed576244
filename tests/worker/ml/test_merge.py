"""A merged model stands alone, and says how far it is from the unmerged one."""

import pytest

from tests.worker.ml.conftest import BASE, run
from training.artefacts import verify
from worker.ml import merge
from worker.ml.errors import MlError
from worker.ml.models import inspect_base


def job_of(adapter, target, rows=None):
    return {
        "base_model": str(BASE),
        "adapter": str(adapter),
        "rows_file": str(rows) if rows else None,
        "output_dir": str(target),
    }


def test_the_merged_model_is_a_whole_one_and_its_difference_is_reported(trained, files, tmp_path):
    target = tmp_path / "merged"
    done = run(merge.main, job_of(trained[0], target, files / "validation.jsonl"))[-1]
    facts = verify(target)
    assert done["facts"].pop("manifest_sha256") and done["facts"] == facts
    inspected = inspect_base(target)
    assert inspected["parameters"] == inspect_base(BASE)["parameters"]
    assert inspected["template_hash"] == facts["template_hash"]
    assert facts["compared"]["rows"] == 8 and facts["compared"]["tokens"] > 100
    for name in ("unmerged_16_bit", "unmerged_as_trained"):
        figures = facts[name]
        assert 0 < figures["mean_logit_difference"] < figures["max_logit_difference"]
        assert 0.5 < figures["greedy_agreement"] <= 1
    # Rounding to 16 bit moves the answers less than leaving the 4-bit base that the adapter was trained on.
    assert (
        facts["unmerged_16_bit"]["mean_logit_difference"]
        < facts["unmerged_as_trained"]["mean_logit_difference"]
    )


def test_without_rows_a_plain_question_is_compared(trained, tmp_path):
    facts = run(merge.main, job_of(trained[0], tmp_path / "merged"))[-1]["facts"]
    assert facts["compared"]["rows"] == 1


def test_the_comparison_sees_an_adapter_that_was_not_merged(trained, files, tmp_path, monkeypatch):
    """The control: a "merge" that only drops the adapter is far from the unmerged model."""
    from peft import PeftModel

    monkeypatch.setattr(PeftModel, "merge_and_unload", lambda self: self.unload(), raising=False)
    job = job_of(trained[0], tmp_path / "merged", files / "validation.jsonl")
    facts = run(merge.main, job)[-1]["facts"]
    assert facts["unmerged_16_bit"]["mean_logit_difference"] > 0.1


def test_a_bad_job_is_refused():
    with pytest.raises(MlError) as caught:
        run(merge.main, {"surprise": 1})
    assert caught.value.code == "job_invalid"
