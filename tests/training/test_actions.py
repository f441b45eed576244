"""Which actions a state allows, over all states; and that the services allow exactly those."""

import itertools
from collections.abc import Callable

import pytest
from django.utils import timezone

from ftplatform.errors import DomainError
from ftplatform.jobs import services as jobs
from ftplatform.jobs.models import Job, JobEvent
from tests import factories
from training import actions
from training.actions import JobAction, ModelAction, RunAction, UploadAction
from training.models import MergeRun, ModelVersion, TrainingRun
from training.registry.services import merges
from training.runs.services import runs

STATUSES = [str(status) for status in Job.Status]
STATES = [
    *((status, {}) for status in STATUSES),
    ("running", {"pause_requested": True}),
    ("running", {"cancel_requested": True}),
]
ENDED = (RunAction.RETRY, RunAction.DISCARD_CHECKPOINTS)

RUNS = {
    ("queued", ""): (RunAction.PRIORITISE, RunAction.PAUSE, RunAction.CANCEL),
    ("running", ""): (RunAction.PAUSE, RunAction.CANCEL),
    ("running", "pause_requested"): (RunAction.CANCEL,),
    ("running", "cancel_requested"): (),
    ("paused", ""): (RunAction.RESUME, RunAction.CANCEL),
    ("paused", "pause_requested"): (RunAction.RESUME, RunAction.CANCEL),
    ("succeeded", ""): ENDED,
    ("failed", ""): ENDED,
    ("cancelled", ""): ENDED,
    ("cancelled", "cancel_requested"): ENDED,
}


@pytest.mark.parametrize(("state", "expected"), RUNS.items())
def test_actions_of_a_run(state, expected):
    status, flag = state
    assert actions.run_actions(status, **({flag: True} if flag else {})) == expected


def test_every_status_of_a_job_is_in_the_table():
    assert {status for status, _flag in RUNS} == set(STATUSES)


@pytest.mark.parametrize(
    ("status", "cancelling", "expected"),
    [
        ("queued", False, (JobAction.CANCEL,)),
        ("running", False, (JobAction.CANCEL,)),
        ("running", True, ()),
        ("paused", False, (JobAction.CANCEL,)),
        ("succeeded", False, ()),
        ("failed", False, (JobAction.TRY_AGAIN,)),
        ("cancelled", True, (JobAction.TRY_AGAIN,)),
    ],
)
def test_actions_of_a_job(status, cancelling, expected):
    assert actions.job_actions(status, cancel_requested=cancelling) == expected


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("check", [None, *STATUSES])
def test_actions_of_an_upload(stored, check):
    if check in ("queued", "running", "paused"):
        expected: tuple[UploadAction, ...] = (UploadAction.CANCEL_CHECK,)
    else:
        expected = () if stored else (UploadAction.STORE,)
    assert actions.upload_actions(stored=stored, check_status=check) == expected


KINDS, STAGES = ("base", "adapter", "merged", "external"), ("candidate", "released", "retired")


@pytest.mark.parametrize(("kind", "stage"), list(itertools.product(KINDS, STAGES)))
def test_actions_of_a_model(kind, stage):
    found = set(actions.model_actions(kind=kind, stage=stage, has_files=kind != "external"))
    expected = {
        "base": {ModelAction.VERIFY, ModelAction.TRAIN},
        "adapter": {ModelAction.VERIFY, ModelAction.EXPORT, ModelAction.MERGE, ModelAction.COMPARE},
        "merged": {ModelAction.VERIFY, ModelAction.EXPORT},
        "external": set(),
    }[kind]
    if stage == "retired":
        expected -= {ModelAction.TRAIN, ModelAction.COMPARE}
    assert found == expected


def test_every_kind_and_stage_of_a_model_is_tried():
    assert set(KINDS) == set(ModelVersion.Kind.values)
    assert set(STAGES) == set(ModelVersion.Stage.values)


@pytest.mark.parametrize("state", ["merged", "merging"])
def test_an_adapter_is_merged_once(state):
    found = actions.model_actions(kind="adapter", stage="candidate", **{state: True})
    assert ModelAction.MERGE not in found


def _run(status: str, **flags: bool) -> TrainingRun:
    ended = {"finished_at": timezone.now()} if status in Job.TERMINAL else {}
    return factories.training_run(factories.user(), status=status, **ended, **flags)


def _changes(run: TrainingRun, act) -> bool:
    """Whether the service did something: a line in the run's life, or no refusal where it writes none."""
    before = JobEvent.objects.filter(job=run).count()
    try:
        act()
    except DomainError:
        return False
    return JobEvent.objects.filter(job=run).count() > before


@pytest.mark.django_db
@pytest.mark.parametrize(("status", "flags"), STATES)
def test_the_services_allow_what_the_rule_says(status, flags):
    services: dict[RunAction, Callable[..., object]] = {
        RunAction.CANCEL: jobs.cancel,
        RunAction.PAUSE: jobs.pause,
        RunAction.RESUME: jobs.resume,
        RunAction.PRIORITISE: lambda job, user: jobs.prioritise(job=job, user=user, priority=10),
    }
    for action, service in services.items():
        run = _run(status, **flags)
        did = _changes(run, lambda run=run, service=service: service(job=run, user=run.created_by))
        assert did == (action in run.actions), action


@pytest.mark.django_db
@pytest.mark.parametrize("status", STATUSES)
def test_only_a_run_that_has_ended_gives_up_its_checkpoints(status):
    run = _run(status)
    if RunAction.DISCARD_CHECKPOINTS in run.actions:
        runs.discard_checkpoints(user=run.created_by, run=run)
        return
    for act in (runs.discard_checkpoints, runs.retry):
        with pytest.raises(DomainError) as refused:
            act(user=run.created_by, run=run)
        assert refused.value.code == "run_not_finished"


@pytest.mark.django_db
def test_a_second_merge_waits_for_the_first():
    owner = factories.user()
    adapter = factories.adapter(owner)
    job = merges.launch(user=owner, adapter=adapter)
    with pytest.raises(DomainError) as refused:
        merges.launch(user=owner, adapter=adapter)
    assert refused.value.code == "merge_not_finished"
    Job.objects.filter(pk=job.pk).update(status="failed", finished_at=timezone.now())
    assert merges.launch(user=owner, adapter=adapter).pk != job.pk
    assert MergeRun.objects.count() == 2


@pytest.mark.django_db
def test_the_api_says_which_actions_are_open(client):
    owner = factories.user()
    client.force_login(owner)
    run = factories.training_run(owner)
    assert client.get(f"/api/v1/training-runs/{run.pk}/").json()["actions"] == [
        "prioritise",
        "pause",
        "cancel",
    ]
