"""A run's page and endpoints while it lives and after, and several runs side by side."""

from datetime import timedelta

import pytest
from django.db.models import F
from django.urls import reverse

from ftplatform.accounts.services import issue_token
from ftplatform.jobs import services as jobs
from ftplatform.jobs.models import Job
from tests import factories
from tests.training.test_checkpoints import save
from training.config import TrainingConfig
from training.models import TrainingRun
from training.runs import markdown
from training.runs.selectors import comparing
from training.runs.services import runs

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("any_base")]


def metric(split, step, loss, accuracy, **more):
    return {"split": split, "step": step, "loss": loss, "token_accuracy": accuracy} | more


def measured(admin, name="run", **config):
    """A running run with the curve of the project's reference."""
    run = factories.training_run(admin, name=name, config=TrainingConfig(**config).model_dump())
    claim = jobs.claim_next(queue=run.queue, worker="w")
    assert claim is not None and claim.job_id == run.pk
    more = {"tokens_per_second": 900.0, "memory_bytes": 2 * 10**9, "learning_rate": 1e-4}
    runs.record_metrics(
        claim,
        [
            *(
                metric("train", step, 1.27 - 0.121 * (step - 1), 0.726 + 0.02833 * (step - 1), **more)
                for step in range(1, 11)
            ),
            metric("validation", 0, 1.5, 0.7),
            metric("validation", 10, 0.5, 0.9),
        ],
    )
    runs.record_samples(
        claim,
        10,
        [
            {
                "index": 0,
                "row_id": "r1",
                "prompt": "May I?",
                "expected": "Yes",
                "text": "<b>Maybe</b>",
                "truncated": True,
            }
        ],
    )
    return run, claim


def page(client, run, name="run", **options):
    return client.get(reverse(f"training:{name}", args=[run.pk]), **options)


def end(claim, status=Job.Status.SUCCEEDED, seconds=1860):
    jobs.finish(claim, status)
    TrainingRun.objects.filter(pk=claim.job_id).update(
        started_at=F("finished_at") - timedelta(seconds=seconds)
    )


def test_the_page_shows_what_moves_what_was_measured_and_what_it_answers(client, admin):
    run, _ = measured(admin)
    said = page(client, run).content.decode()
    for words in (
        "Throughput",
        "Memory",
        "Learning rate",
        "Token accuracy",
        "Held-out row r1",
        "Cut off at the length limit",
    ):
        assert words in said
    assert "&lt;b&gt;Maybe" in said and "<b>Maybe" not in said
    assert "2.0 GB" in said and "900" in said


def test_htmx_gets_the_moving_part_alone_and_the_whole_page_when_other_actions_open(client, admin):
    run, claim = measured(admin)
    ask = {"headers": {"HX-Request": "true"}}
    live = client.get(f"{reverse('training:run', args=[run.pk])}?seen=running/Starting", **ask)
    assert 'id="live"' in live.content.decode() and "<html" not in live.content.decode()
    jobs.pause(job=run, user=admin)
    jobs.give_back(claim, error_code="", message="Stopped")
    after = client.get(f"{reverse('training:run', args=[run.pk])}?seen=running/Starting", **ask)
    assert after["HX-Refresh"] == "true"
    assert "Resume" in page(client, run).content.decode()


def test_the_number_of_queries_does_not_grow_with_the_run(client, admin, django_assert_max_num_queries):
    run, _ = measured(admin)
    with django_assert_max_num_queries(22):
        page(client, run)


def said_after(client, run, name):
    return client.post(reverse(f"training:{name}", args=[run.pk]), follow=True).content.decode()


def test_second_clicks_and_lost_races_are_told_kindly(client, admin):
    run, claim = measured(admin)
    assert "Pausing" in said_after(client, run, "run_pause")
    assert "Pausing" in said_after(client, run, "run_pause")
    assert "Wait until it has paused" in said_after(client, run, "run_resume")
    end(claim)
    assert "had already ended" in said_after(client, run, "run_cancel")
    run.refresh_from_db()
    assert run.status == Job.Status.SUCCEEDED


def test_paused_then_resumed_then_cancelled(client, admin):
    run = factories.training_run(admin)
    said_after(client, run, "run_pause")
    run.refresh_from_db()
    assert run.status == Job.Status.PAUSED
    assert "Resumed" in said_after(client, run, "run_resume")
    assert "Cancelled" in said_after(client, run, "run_cancel")
    run.refresh_from_db()
    assert run.status == Job.Status.CANCELLED


def test_a_checkpoint_of_an_ended_run_is_retried_once_however_often_it_is_clicked(client, admin):
    run, claim = measured(admin)
    end(claim, Job.Status.FAILED)
    save(run.folder, 5)
    shown = page(client, run).content.decode()
    assert "Retry from here" in shown
    key = shown.split('name="idempotency_key" value="')[1].split('"')[0]
    url = reverse("training:run_retry", args=[run.pk])
    first, second = (client.post(url, {"from_step": "5", "idempotency_key": key}) for _ in range(2))
    retried = TrainingRun.objects.get(retry_of=run)
    assert first.url == second.url == reverse("training:run", args=[retried.pk])
    assert retried.from_step == 5 and retried.config == run.config
    missing = client.post(url, {"from_step": "6", "idempotency_key": "x"}, follow=True)
    assert "no checkpoint of step 6" in missing.content.decode()


def test_the_facts_read_as_the_reference_does(client, admin):
    run, claim = measured(admin)
    end(claim)
    factories.adapter(admin, run=run, path="/models/a")
    run = TrainingRun.objects.get(pk=run.pk)
    text = page(client, run, "run_facts").content.decode().replace("\xa0", " ")
    assert "**Training loss:** 1.27 → 0.18 (−86 %)" in text
    assert "**Training token accuracy:** 72.6 % → 98.1 % (+25.5 pp)" in text
    assert "**Training duration:** 31 min 0 s" in text and "18 train, 2 validation" in text
    assert "/models/a" in text


def test_the_facts_of_a_toy_say_so_and_names_cannot_become_markup(admin):
    run = factories.training_run(
        admin, name="# [x](javascript:1)\n|", base_model=factories.base_model(admin, is_demo=True)
    )
    text = markdown.markdown(run, [])
    assert "Toy model" in text and "[x](" not in text and text.startswith("# Training run: \\# ")


def test_runs_are_compared_by_what_differs_and_what_came_of_it(client, admin):
    one, claim = measured(admin, "one")
    end(claim)
    other, claim = measured(admin, "other", lora_r=64)
    end(claim)
    answer = client.get(f"{reverse('training:runs_compared')}?run={one.pk}&run={other.pk}")
    differing = {row["name"] for row in answer.context["settings"] if row["differs"]}
    assert differing == {"lora_r", "base_model"}
    assert answer.context["charts"][0]["title"] == "Validation loss"
    assert "one" in answer.context["charts"][0]["alt"] and "other" in answer.context["charts"][0]["alt"]


def test_runs_of_one_name_are_told_apart(admin):
    runs_ = [factories.training_run(admin, name="same") for _ in range(2)]
    assert len(set(comparing.told_apart(runs_))) == 2


@pytest.mark.parametrize("query", ["", "run=x", "run=00000000-0000-0000-0000-000000000000&run=y"])
def test_comparing_fewer_than_two_says_so(client, admin, query):
    answer = client.get(f"{reverse('training:runs_compared')}?{query}", follow=True)
    assert answer.redirect_chain == [(reverse("training:runs"), 302)] and "2 to 8" in answer.content.decode()


def test_settings_are_told_in_words(client, admin):
    run, claim = measured(admin, dora=True)
    end(claim)
    settings = dict(page(client, run).context["settings"])
    assert settings["Rank"] == 16 and settings["DoRA"] is True and settings["Method"] == "QLoRA (4-bit base)"
    assert (settings["Patience"], settings["Time limit (hours)"]) == ("off", "no limit")
    assert "| Checkpoint every | after each validation |" in markdown.markdown(run, [])


def test_a_run_whose_hours_were_over_says_so(client, admin):
    run, claim = measured(admin)
    end(claim)
    TrainingRun.objects.update(facts={"metrics": {"ended_by": "time"}})
    assert "Stopped at the time limit" in page(client, run).content.decode()


def test_a_manager_follows_provenance_but_changes_nothing(client, admin):
    run, claim = measured(admin)
    end(claim, Job.Status.FAILED)
    save(run.folder, 5)
    client.force_login(factories.user("manager"))
    shown = page(client, run).content.decode()
    assert "Held-out row r1" in shown and 'href="/training/datasets/"' in shown
    for action in ("Retry from here", "launch again", "Delete checkpoints", "Cancel run"):
        assert action not in shown


class Api:
    def __init__(self, client, user):
        self.client = client
        _, key = issue_token(user=user, name="t", scopes=["read", "train"], days=1)
        self.headers = {"Authorization": f"Bearer {key}"}

    def __call__(self, path, body=None, **headers):
        sent = {"headers": self.headers | headers}
        url = f"/api/v1/training-runs/{path}"
        if body is None:
            answer = self.client.get(url, **sent)
        else:
            answer = self.client.post(url, body, content_type="application/json", **sent)
        return answer.status_code, answer.json()


def test_the_api_does_what_the_page_does(client, admin):
    client.logout()
    api = Api(client, admin)
    run = factories.training_run(admin)
    assert api(f"{run.pk}/pause/", {})[1]["status"] == "paused"
    assert api(f"{run.pk}/resume/", {})[1]["status"] == "queued"
    assert api(f"{run.pk}/resume/", {}) == (409, api(f"{run.pk}/resume/", {})[1])
    assert api(f"{run.pk}/priority/", {"priority": 7})[1]["priority"] == 7
    assert api(f"{run.pk}/priority/", {"priority": 1000})[0] == 400
    assert api(f"{run.pk}/cancel/", {})[1]["status"] == "cancelled"
    save(run.folder, 5)
    assert [each["step"] for each in api(f"{run.pk}/checkpoints/")[1]["checkpoints"]] == [5]
    status, retried = api(
        f"{run.pk}/retry/", {"from_step": 5, "config": {"patience": 2}}, **{"Idempotency-Key": "k"}
    )
    assert (status, retried["retry_of"], retried["from_step"], retried["config"]["patience"]) == (
        201,
        str(run.pk),
        5,
        2,
    )
    assert (
        api(f"{run.pk}/retry/", {"from_step": 5, "config": {"lora_r": 2}})[1]["code"] == "checkpoint_config"
    )
    assert "Queued." in api(f"{retried['id']}/events/")[1][-1]["message"]


def test_the_api_reads_what_was_measured(client, admin):
    run, claim = measured(admin)
    end(claim)
    other = factories.training_run(admin)
    client.logout()
    api = Api(client, admin)
    assert api(f"{run.pk}/samples/")[1]["samples"][0]["answers"] == [
        {"step": 10, "text": "<b>Maybe</b>", "truncated": True}
    ]
    assert api(f"{run.pk}/log/")[1] == {"lines": []}
    assert api(f"{run.pk}/metrics/")[1]["train"][0]["tokens_per_second"] == 900
    assert api(f"{run.pk}/summary/")[1]["facts"]["Training duration"] == "31 min 0 s"
    compared = api(f"compare/?run={run.pk}&run={other.pk}")[1]
    assert compared["results"][0]["validation"]["last"]["loss"] == 0.5
    assert api("compare/?run=x")[1]["code"] == "choose_runs"


def test_the_api_estimates_without_storing(client, admin):
    data = factories.dataset(admin)
    size = {"parameters": 2_000_000, "layers": 4, "hidden_size": 192, "vocabulary": 2048}
    base = factories.base_model(admin, details=size)
    client.logout()
    status, found = Api(client, admin)("estimate/", {"dataset": str(data.pk), "base_model": str(base.pk)})
    assert (
        status == 200
        and found["estimate"]["seconds"] is None
        and found["estimate"]["memory_bytes"]["value"] > 1e8
    )
    assert TrainingRun.objects.count() == 0
