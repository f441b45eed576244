"""The launch: presets fill the form, the estimate follows it, and the queue says when a run begins."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from ftplatform.errors import DomainError
from ftplatform.jobs import services as jobs
from ftplatform.jobs.models import Job
from tests import factories
from training.config import TrainingConfig
from training.models import Measurement, TrainingRun
from training.runs.forms import GROUPS, LaunchForm
from training.runs.presets import BY_KEY, PRESETS
from training.runs.selectors import estimates, progress
from training.runs.services import runs

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("any_base")]
SIZE = {"parameters": 2_000_000, "layers": 4, "hidden_size": 192, "vocabulary": 2048}
NEW = "/training/runs/new/"


@pytest.fixture
def base(admin):
    return factories.base_model(admin, details=SIZE)


@pytest.fixture
def data(admin):
    return factories.dataset(admin, rows=50)


def typed(data, base, **changes):
    """What a browser sends for the form as it is first shown."""
    form = LaunchForm(user=data.created_by)
    values = {
        name: field.initial
        for name, field in form.fields.items()
        if field.initial is not None and field.initial is not False
    }
    return (
        values
        | {"name": "first", "dataset": data.pk, "base_model": base.pk, "idempotency_key": "k"}
        | changes
    )


def finished(admin, data, base, seconds=100, **fields):
    """A run that went from start to end in one go."""
    end = timezone.now()
    config = TrainingConfig(**fields.pop("config", {}))
    facts = {"device": "cpu", "metrics": {"tokens": 5000, "steps": 6}, "peak_memory_bytes": 900_000_000}
    values = {"status": Job.Status.SUCCEEDED, "attempt": 1, "finished_at": end, "facts": facts}
    return factories.training_run(
        admin,
        dataset=data,
        base_model=base,
        config=config.model_dump(),
        started_at=end - timedelta(seconds=seconds),
        **values | fields,
    )


def test_every_hyper_parameter_is_on_the_page_once_with_its_help(admin):
    shown = [name for group in GROUPS for name in group.names]
    assert sorted(shown) == sorted(TrainingConfig.model_fields)
    form = LaunchForm(user=admin)
    assert all(form.fields[name].help_text for name in shown)
    assert "From 1 to 256." in str(form.fields["lora_r"].help_text)


def test_the_presets_are_distinct_configurations_with_a_reason():
    assert len({preset.config.model_dump_json() for preset in PRESETS}) == len(PRESETS) == len(BY_KEY)
    assert all(preset.why.endswith(".") for preset in PRESETS)
    reference = BY_KEY["reference"].config
    assert reference.method == "qlora" and reference.max_length > 1030, (
        "rows of the reference have 1,030 tokens"
    )


@pytest.mark.parametrize("key", sorted(set(BY_KEY) - {"toy"}))
def test_a_preset_fills_the_form_and_keeps_what_was_typed(client, admin, data, base, key):
    sent = typed(data, base, preset=key, name="typed before", learning_rate="0.5")
    form = client.post(NEW, sent).context["form"]
    wanted = BY_KEY[key].config.model_dump()
    assert {name: form[name].value() for name in wanted} == wanted
    assert form["name"].value() == "typed before" and form["dataset"].value() == str(data.pk)
    assert TrainingRun.objects.count() == 0


def test_a_filled_form_is_launched_as_it_stands(client, admin, data, base):
    sent = typed(
        data, base, **{k: v for k, v in BY_KEY["careful"].config.model_dump().items() if v is not False}
    )
    assert client.post(NEW, sent | {"priority": "10"}).status_code == 302
    run = TrainingRun.objects.get()
    assert run.config == BY_KEY["careful"].config.model_dump() and run.priority == 10


def test_the_toy_preset_is_offered_only_where_there_is_a_toy(client, admin, data, base):
    assert "Toy model" not in client.get(NEW).content.decode()
    factories.base_model(admin, is_demo=True)
    assert "Toy model" in client.get(NEW).content.decode()


def test_retired_base_models_are_not_offered(client, admin, data, base):
    retired = factories.base_model(admin, name="old-one", stage="retired")
    assert "old-one" not in client.get(NEW).content.decode()
    answer = client.post(NEW, typed(data, retired))
    assert answer.status_code == 400 and TrainingRun.objects.count() == 0


def test_an_earlier_run_fills_the_form_again(client, admin, data, base):
    run = factories.training_run(
        admin, dataset=data, base_model=base, config=TrainingConfig(lora_r=77, rslora=True).model_dump()
    )
    form = client.get(f"{NEW}?from={run.pk}").context["form"]
    assert (form["lora_r"].value(), form["rslora"].value(), form["dataset"].value()) == (77, True, data.pk)
    assert client.get(f"{NEW}?from=nonsense").status_code == 200


def test_rules_between_settings_are_shown_beside_the_field(client, admin, data, base):
    answer = client.post(NEW, typed(data, base, initialisation="pissa"))
    assert answer.status_code == 400
    assert "PiSSA" in answer.context["form"].errors["initialisation"][0]


def estimate_of(client, data, base, **changes):
    return client.post("/training/runs/estimate/", typed(data, base, **changes)).content.decode()


def test_the_estimate_says_when_there_is_nothing_to_go_by(client, admin, data, base):
    said = estimate_of(client, data, base)
    assert "not known yet" in said and "rough calculation" in said


def test_the_estimate_goes_by_past_runs_and_follows_the_form(client, admin, data, base, settings):
    settings.PRICE_PER_HOUR, settings.PRICE_CURRENCY = 3.6, "CHF"
    finished(admin, data, base)
    once, thrice = estimate_of(client, data, base), estimate_of(client, data, base, epochs="3")
    assert "1 min 40 s" in once and "one past run" in once and "CHF" in once and "0.10" in once
    assert "1 min 40 s" not in thrice


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"lora_r": "0"}, "Rank"),
        ({"initialisation": "pissa"}, "PiSSA"),
        ({"dataset": ""}, "Choose a dataset"),
    ],
)
def test_the_estimate_says_what_is_missing_or_wrong(client, admin, data, base, changes, said):
    assert said in estimate_of(client, data, base, **changes)


def test_a_base_of_unknown_size_has_no_estimate_but_can_be_trained(client, admin, data):
    base = factories.base_model(admin)
    assert "No estimate" in estimate_of(client, data, base)
    assert client.post(NEW, typed(data, base)).status_code == 302
    assert TrainingRun.objects.get().estimate is None


def test_a_measurement_by_the_bases_own_tokenizer_is_better_than_a_guess(admin, data, base):
    finished(admin, data, base)

    def seconds():
        found = estimates.forecast(dataset=data, base_model=base, config=TrainingConfig())
        assert found is not None and found.seconds is not None
        return found.seconds.value

    guessed = seconds()
    Measurement.objects.create(
        kind=Job.Kind.MEASUREMENT,
        status=Job.Status.SUCCEEDED,
        finished_at=timezone.now(),
        created_by=admin,
        dataset=data,
        base_model=base,
        weights_hash=base.weights_hash,
        result={"splits": {"train": {"counts": [[1000, 30], [2000, 15]]}}},
    )
    assert seconds() > 2 * guessed


def test_a_run_from_a_checkpoint_is_expected_to_take_what_is_left(admin, data, base):
    finished(admin, data, base)

    def seconds(from_step):
        found = estimates.forecast(
            dataset=data, base_model=base, config=TrainingConfig(epochs=20), from_step=from_step
        )
        assert found is not None and found.seconds is not None
        return found.seconds.value

    assert seconds(60) < 0.7 * seconds(0)


def test_interrupted_and_retried_runs_teach_the_estimate_nothing(admin, data, base):
    finished(admin, data, base, attempt=2)
    finished(admin, data, base, status=Job.Status.FAILED)
    first = finished(admin, data, base)
    finished(admin, data, base, retry_of=first, from_step=3)
    found = estimates.forecast(dataset=data, base_model=base, config=TrainingConfig())
    assert found is not None and found.runs == 1


def test_what_was_expected_is_stored_and_compared_with_what_it_took(client, admin, data, base):
    finished(admin, data, base, seconds=130)
    run = runs.launch(user=admin, name="n", dataset=data, base_model=base, config=TrainingConfig())
    assert run.estimate is not None and run.estimate["seconds"]["value"] == pytest.approx(130)
    end = timezone.now()
    TrainingRun.objects.filter(pk=run.pk).update(
        status=Job.Status.SUCCEEDED, attempt=1, finished_at=end, started_at=end - timedelta(seconds=151)
    )
    said = client.get(reverse("training:run", args=[run.pk])).content.decode()
    assert "Estimate error: <strong>−14 %</strong> (estimated 2 min 10 s, took 2 min 31 s)" in " ".join(
        said.split()
    )
    TrainingRun.objects.filter(pk=run.pk).update(attempt=2)
    assert progress.estimate_error(TrainingRun.objects.get(pk=run.pk)) is None


def waiting(admin, **fields):
    return factories.training_run(admin, **fields)


def known(seconds):
    return {"seconds": {"value": seconds, "low": seconds, "high": seconds}}


def test_the_queue_says_the_place_and_the_time_until_the_start(client, admin):
    running = waiting(admin)
    claim = jobs.claim_next(queue="gpu", worker="w")
    assert claim is not None and claim.job_id == running.pk
    jobs.heartbeat(claim, seconds_left=600.0)
    waiting(admin, estimate=known(1800))
    waiting(admin, estimate=known(9999), priority=-10)
    run = waiting(admin)
    assert progress.queue_outlook(run) == {"place": 2, "running": 1, "wait": 2400}
    said = client.get(reverse("training:run", args=[run.pk])).content.decode()
    assert "2nd in the queue. Starts in about 40 min." in said


def test_the_queue_gives_no_time_where_one_before_it_has_none(admin):
    waiting(admin)
    run = waiting(admin)
    assert progress.queue_outlook(run) == {"place": 2, "running": 0, "wait": None}


def test_an_admin_moves_a_waiting_run_forward_but_no_other(client, admin):
    first, second = waiting(admin), waiting(admin)
    url = reverse("training:run_prioritise", args=[second.pk])
    client.post(url, {"priority": "10"})
    claim = jobs.claim_next(queue="gpu", worker="w")
    assert claim is not None and claim.job_id == second.pk
    answer = client.post(url, {"priority": "-10"}, follow=True)
    assert "has started or ended" in answer.content.decode()
    with pytest.raises(DomainError):
        jobs.prioritise(job=second, user=admin, priority=0)
    client.force_login(factories.user("manager"))
    assert (
        client.post(reverse("training:run_prioritise", args=[first.pk]), {"priority": "10"}).status_code
        == 403
    )


def test_rows_longer_than_the_base_reads_are_refused_at_the_launch(admin, data):
    base = factories.base_model(admin, details=SIZE | {"context_length": 1024})
    asked = {"user": admin, "name": "long", "dataset": data, "base_model": base}
    with pytest.raises(DomainError) as caught:
        runs.launch(**asked, config=TrainingConfig(max_length=1025))
    assert caught.value.code == "max_length_too_long" and "1,024" in caught.value.detail
    assert not TrainingRun.objects.exists()
    assert runs.launch(**asked, config=TrainingConfig(max_length=1024)).pk
