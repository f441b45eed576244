"""Where an attempt goes on, what a retry may change, and what is kept of earlier attempts."""

import pytest

from ftplatform.errors import DomainError
from ftplatform.jobs import services as jobs
from ftplatform.jobs.models import Job
from tests import factories
from tests.training.test_checkpoints import save
from training.config import TrainingConfig
from training.models import TrainingRun
from training.runs.selectors import progress
from training.runs.services import runs

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("any_base")]


@pytest.fixture
def owner():
    return factories.user()


def claimed(run):
    claim = jobs.claim_next(queue=run.queue, worker="test")
    assert claim is not None and claim.job_id == run.pk
    return claim


def metric(step, split="train"):
    return {"split": split, "step": step, "loss": 1.0 / (step + 1), "token_accuracy": 0.5}


def sample(index=0, **changes):
    return {"index": index, "row_id": "a", "prompt": "May I?", "expected": "Yes", "text": "No"} | changes


def ended(owner, steps=6, saved=(2, 4), **fields):
    """A run that failed after so many steps and left checkpoints."""
    run = factories.training_run(owner, **fields)
    claim = claimed(run)
    runs.record_metrics(claim, [metric(step) for step in range(1, steps + 1)] + [metric(0, "validation")])
    runs.record_samples(claim, 4, [sample()])
    for step in saved:
        save(run.folder, step)
    jobs.finish(claim, Job.Status.FAILED, error_code="x", error_message="y")
    run.refresh_from_db()
    return run


def steps(run, split="train"):
    return list(run.metrics.filter(split=split).values_list("step", flat=True))


def test_an_attempt_goes_on_from_the_newest_whole_checkpoint_and_keeps_the_curve_up_to_it(owner):
    run = factories.training_run(owner)
    claim = claimed(run)
    assert runs.begin_attempt(claim).step == 0
    runs.record_metrics(claim, [metric(step) for step in range(1, 7)])
    runs.record_samples(claim, 2, [sample()])
    runs.record_samples(claim, 6, [sample()])
    save(run.folder, 2)
    (save(run.folder, 4) / "weights").write_bytes(b"damaged")
    jobs.give_back(claim, error_code="x", message="The process died")
    start = runs.begin_attempt(claimed(run))
    assert start.checkpoint is not None and (start.step, start.checkpoint.name) == (2, "step-0000000002")
    assert steps(run) == [1, 2] and [each.step for each in run.samples.all()] == [2]
    said = "\n".join(run.events.values_list("message", flat=True))
    assert "step 4 is not usable" in said and "Continuing from the checkpoint of step 2." in said


def test_a_repeated_step_overwrites_itself(owner):
    claim = claimed(factories.training_run(owner))
    for loss in (2.0, 1.0):
        runs.record_metrics(claim, [metric(1) | {"loss": loss, "tokens_per_second": 9.0, "memory_bytes": 5}])
        runs.record_samples(claim, 1, [sample(text=str(loss))])
    run = TrainingRun.objects.get()
    assert run.metrics.get().loss == 1.0 and run.samples.get().text == "1.0"
    assert progress.curve(run)["train"][0]["memory_bytes"] == 5


def test_a_stale_attempt_can_record_nothing(owner):
    run = factories.training_run(owner)
    stale = claimed(run)
    jobs.give_back(stale, error_code="x", message="The process died")
    claimed(run)
    for write in (
        lambda: runs.begin_attempt(stale),
        lambda: runs.record_metrics(stale, [metric(1)]),
        lambda: runs.record_samples(stale, 1, [sample()]),
        lambda: runs.record_checkpoint(stale),
    ):
        with pytest.raises(jobs.StaleAttempt):
            write()
    assert not run.metrics.exists()


def test_a_new_checkpoint_forgives_losses_and_removes_the_old_ones(owner):
    run = factories.training_run(owner, config=TrainingConfig(keep_checkpoints=1).model_dump())
    jobs.give_back(claimed(run), error_code="x", message="The process died")
    claim = claimed(run)
    for step in (2, 4):
        save(run.folder, step)
        runs.record_checkpoint(claim)
    assert [each.step for each in run.checkpoints] == [4]
    assert Job.objects.get().losses == 0


def test_a_retry_from_a_checkpoint_is_a_new_run_with_the_curve_up_to_there(owner):
    old = ended(owner)
    new = runs.retry(user=owner, run=old, from_step=4)
    assert (new.pk != old.pk, new.retry_of, new.config) == (True, old, old.config)
    assert steps(new) == [1, 2, 3, 4] and steps(new, "validation") == [0] and new.samples.count() == 1
    assert steps(old) == [1, 2, 3, 4, 5, 6] and old.status == Job.Status.FAILED
    start = runs.begin_attempt(claimed(new))
    assert (start.step, start.checkpoint) == (4, old.checkpoints[-1].path)


def test_a_retry_anew_starts_at_the_beginning_and_may_change_anything(owner):
    old = ended(owner)
    new = runs.retry(user=owner, run=old, config=TrainingConfig(lora_r=4))
    assert (new.config["lora_r"], steps(new), runs.begin_attempt(claimed(new)).step) == (4, [], 0)


def test_after_out_of_memory_a_retry_halves_the_batch_and_keeps_the_steps(owner):
    old = ended(owner)
    new = runs.retry(
        user=owner, run=old, from_step=2, config=TrainingConfig(batch_size=4, gradient_accumulation=2)
    )
    assert new.config["batch_size"] == 4


@pytest.mark.parametrize(
    ("change", "named"), [({"batch_size": 4}, "batch_size"), ({"learning_rate": 1.0e-5}, "learning_rate")]
)
def test_from_a_checkpoint_the_steps_must_stay_what_they_were(owner, change, named):
    with pytest.raises(DomainError) as caught:
        runs.retry(user=owner, run=ended(owner), from_step=2, config=TrainingConfig(**change))
    assert caught.value.code == "checkpoint_config" and named in caught.value.detail


def test_a_checkpoint_that_is_gone_is_said_to_be(owner):
    old = ended(owner)
    with pytest.raises(DomainError) as caught:
        runs.retry(user=owner, run=old, from_step=3)
    assert caught.value.code == "checkpoint_missing"
    new = runs.retry(user=owner, run=old, from_step=4)
    runs.discard_checkpoints(user=owner, run=old)
    with pytest.raises(DomainError) as caught:
        runs.begin_attempt(claimed(new))
    assert caught.value.code == "checkpoint_missing"


def test_a_run_that_has_not_ended_is_neither_retried_nor_stripped(owner):
    run = factories.training_run(owner)
    for act in (runs.retry, runs.discard_checkpoints):
        with pytest.raises(DomainError) as caught:
            act(user=owner, run=run)
        assert caught.value.code == "run_not_finished"


def test_the_log_shows_its_last_lines_whole(owner):
    run = factories.training_run(owner)
    assert progress.log_tail(run) == []
    run.folder.mkdir(parents=True)
    (run.folder / "run.log").write_text("".join(f"line {number} {'é' * 300}\n" for number in range(1000)))
    tail = progress.log_tail(run, lines=3)
    assert [line.split()[1] for line in tail] == ["997", "998", "999"]
    everything = progress.log_tail(run, lines=1000)
    assert 100 < len(everything) < 1000 and everything[0].startswith("line ")


def test_samples_are_read_prompt_by_prompt(owner):
    claim = claimed(factories.training_run(owner))
    for step in (0, 4):
        runs.record_samples(claim, step, [sample(0, text=f"at {step}"), sample(1)])
    read = progress.samples(TrainingRun.objects.get())
    assert [[answer.text for answer in each["answers"]] for each in read] == [["at 0", "at 4"], ["No", "No"]]
