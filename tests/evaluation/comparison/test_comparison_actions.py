"""Which actions the state of a comparison allows: the rule over all states, and page, API and services keep to it."""

import itertools

import pytest
from django.urls import reverse
from django.utils import timezone

from evaluation.comparison.services import comparisons
from evaluation.models import Comparison
from evaluation.models.comparison_actions import ComparisonAction, open_actions
from ftplatform.errors import DomainError
from ftplatform.jobs.models import Job
from tests import factories

CANCEL, PAUSE, RESUME, TRY_AGAIN, LEAVE_OUT, WORK_OUT, REVIEW = ComparisonAction
FLAGS = ("cancel_requested", "pause_requested", "imported", "figures")


def states():
    """Every state that a run can be in."""
    for status in Job.Status.values:
        for error_code in ("", "incomplete", "out_of_memory") if status == "failed" else ("",):
            for flags in itertools.product((False, True), repeat=len(FLAGS)):
                yield {"status": status, "error_code": error_code, **dict(zip(FLAGS, flags, strict=True))}


def allowed(state):
    """The same rule written the other way round: for each action, when it is open."""
    status, stopping = state["status"], state["cancel_requested"]
    live = status in ("queued", "running", "paused") and not stopping
    failed = status == "failed" and not state["imported"]
    return {
        CANCEL: live,
        PAUSE: live and status != "paused" and not state["pause_requested"],
        RESUME: live and status == "paused",
        TRY_AGAIN: failed,
        LEAVE_OUT: failed and state["error_code"] == "incomplete",
        WORK_OUT: status == "succeeded" and not state["figures"],
        REVIEW: status == "succeeded",
    }


def test_the_rule_over_all_states():
    for state in states():
        actions = open_actions(**state)
        assert set(actions) == {action for action, is_open in allowed(state).items() if is_open}, state
        assert len(actions) == len(set(actions))


ENDED = ("succeeded", "failed", "cancelled")
STORED = [
    *[{"status": status} for status in Job.Status.values],
    {"status": "running", "pause_requested": True},
    {"status": "running", "cancel_requested": True},
    {"status": "failed", "error_code": "incomplete"},
    {"status": "failed", "error_code": "import_incomplete", "engine": "import"},
]


@pytest.fixture(params=STORED, ids=lambda state: "-".join(map(str, state.values())))
def run(request, client, db):
    owner = factories.user("manager")
    made = factories.comparison(owner, prompts=2, finished=request.param["status"] == "succeeded")
    finished = timezone.now() if request.param["status"] in ENDED else None
    Comparison.objects.filter(pk=made.pk).update(**request.param, finished_at=finished)
    client.force_login(owner)
    return Comparison.objects.get(pk=made.pk)


def test_the_page_offers_and_the_api_names_what_is_open(run, client):
    page = client.get(reverse("evaluation:comparison", args=[run.pk])).content.decode()
    offered = {
        CANCEL: "comparison_cancel",
        PAUSE: "comparison_pause",
        RESUME: "comparison_resume",
        TRY_AGAIN: "comparison_again",
        LEAVE_OUT: "comparison_without",
        WORK_OUT: "comparison_figures",
    }
    for action, view in offered.items():
        form = f'action="{reverse(f"evaluation:{view}", args=[run.pk])}"'
        assert (form in page) == (action in run.actions), action
    assert ("?comparison=" in page) == (REVIEW in run.actions)
    api = client.get(f"/api/v1/comparisons/{run.pk}/").json()
    listed = client.get("/api/v1/comparisons/").json()["results"][0]
    assert api["actions"] == listed["actions"] == [action.value for action in run.actions]


@pytest.mark.parametrize("action", [CANCEL, PAUSE, RESUME, TRY_AGAIN, LEAVE_OUT])
def test_a_service_changes_the_run_only_where_its_action_is_open(run, client, action):
    """Cancel and pause leave a run alone that they cannot change; the others are refused."""
    before = Comparison.objects.filter(pk=run.pk).values().get()
    answer = client.post(f"/api/v1/comparisons/{run.pk}/{action.value}/")
    after = Comparison.objects.filter(pk=run.pk).values().get()
    assert (before != after) == (action in run.actions)
    refused = action not in run.actions and action not in (CANCEL, PAUSE)
    assert answer.status_code == (409 if refused else 200)


def test_a_failed_import_is_imported_again_and_not_retried(db):
    """No worker can make the responses of an import: it would fail again, for a reason that nobody understands."""
    run = factories.comparison(factories.user("manager"), prompts=1, finished=False)
    Comparison.objects.filter(pk=run.pk).update(status="failed", engine="import", finished_at=timezone.now())
    run.refresh_from_db()
    with pytest.raises(DomainError) as caught:
        comparisons.try_again(user=run.created_by, comparison=run)
    assert caught.value.code == "imported"
