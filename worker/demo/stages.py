"""The stages of the demo, through the same services that the pages and the API call.

Every stage continues from what an earlier run of the demo has left, so that a second run is quick and an interrupted
one can be resumed.
"""

import json
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from django.conf import settings

from evaluation import rubrics
from evaluation.comparison.selectors.comparison_document import comparison_document
from evaluation.comparison.services import comparisons, prompts
from evaluation.models import Campaign, Comparison, PromptSet, Report
from evaluation.report.exports.markdown import markdown
from evaluation.report.services import reports
from evaluation.review.selectors import planned_analyses
from evaluation.review.services import campaigns
from ftplatform.accounts.models import User
from ftplatform.accounts.services import ensure_user
from ftplatform.jobs.models import Job
from training.intake.services import datasets
from training.models import Dataset, ModelVersion, StepMetric, TrainingRun
from training.registry.services import models
from training.runs.services import runs
from worker.demo import reviewers
from worker.demo.display import Stage
from worker.ml.demo import cases, recipe

NAME = "Demo: customer operations"
BASE_NAME = "Demo base (toy model)"
BASE_FOLDER = Path(__file__).resolve().parent.parent / "ml" / "demo" / "base"
CASES, HELD_OUT = recipe.TRAIN_ROWS + recipe.VALIDATION_ROWS, recipe.VALIDATION_ROWS
PAIRS, OVERLAP, PANEL = 60, 3, 12
INTERIM = 0.9
SEED = 20
_POLL_SECONDS = 0.5

Alive = Callable[[], None]


class DemoFailed(Exception):
    """A stage failed; the message says which one and where to look."""


@dataclass(frozen=True)
class Login:
    role: str
    email: str
    password: str


def folder() -> Path:
    return Path(settings.VAR_DIR) / "demo"


def accounts() -> list[Login]:
    """An admin and a manager with random passwords, kept for the next run in a file that only its owner can read."""
    file = folder() / "logins.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    kept = json.loads(file.read_text()) if file.exists() else {}
    logins = []
    for role in (User.Role.ADMIN, User.Role.MANAGER):
        email = f"{role}@demo.invalid"
        password = kept.setdefault(email, secrets.token_urlsafe(9))
        ensure_user(email=email, name=f"Demo {role}", role=role, password=password)
        logins.append(Login(role, email, password))
    handle = os.open(file, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    with os.fdopen(handle, "w") as out:
        json.dump(kept, out)
    return logins


def dataset(user: User, show: Stage) -> Dataset:
    file = folder() / "cases.jsonl"
    with file.open("w", encoding="utf-8") as out:
        for number, case in enumerate(cases.generate_cases(CASES), 1):
            out.write(json.dumps(case, ensure_ascii=False) + "\n")
            show(number, CASES)
    with file.open("rb") as rows:
        stored = datasets.create(
            user=user, name=NAME, file=rows, source_name=file.name, validation_share=HELD_OUT / CASES
        )
    show.result(f"{stored.train_rows:,} rows to train on, {stored.validation_rows:,} held out")
    return stored


def base_model(user: User) -> ModelVersion:
    return models.register_base(user=user, name=BASE_NAME, path=str(BASE_FOLDER), licence="apache-2.0")


def train(user: User, data: Dataset, base: ModelVersion, show: Stage, alive: Alive) -> ModelVersion:
    same = TrainingRun.objects.filter(dataset=data, base_model=base, config=recipe.TRAINING.model_dump())
    run = same.exclude(status__in=[Job.Status.FAILED, Job.Status.CANCELLED]).first()
    if run is None:
        run = runs.launch(user=user, name="demo-qlora", dataset=data, base_model=base, config=recipe.TRAINING)
    _follow(run.pk, show, alive, _training_note)
    first, last = (
        run.metrics.filter(split=StepMetric.Split.VALIDATION).order_by(o).first() for o in ("step", "-step")
    )
    if first is not None and last is not None:
        show.result(
            f"validation loss {first.loss:.2f} → {last.loss:.2f}, token accuracy "
            f"{first.token_accuracy:.1%} → {last.token_accuracy:.1%}"
        )
    return TrainingRun.objects.get(pk=run.pk).adapter


def _training_note(job: Job) -> str:
    last = StepMetric.objects.filter(run_id=job.pk, split=StepMetric.Split.TRAIN).last()
    return f"loss {last.loss:.3f}" if last is not None else job.stage.lower()


def _follow(job_id: UUID, show: Stage, alive: Alive, note: Callable[[Job], str]) -> None:
    """Poll a job's row until the job ends. `alive` raises when a service has died."""
    while True:
        alive()
        job = Job.objects.get(pk=job_id)
        show(job.step, job.total_steps or None, note(job), job.seconds_left)
        if job.is_finished:
            break
        time.sleep(_POLL_SECONDS)
    if job.status != Job.Status.SUCCEEDED:
        raise DemoFailed(
            f"{job.get_kind_display()} ended as {job.status}: {job.error_message or 'no reason given'}"
        )


def generate(user: User, data: Dataset, candidate: ModelVersion, show: Stage, alive: Alive) -> Comparison:
    prompt_set = PromptSet.objects.filter(dataset=data).first()
    if prompt_set is None:
        prompt_set = prompts.from_dataset(user=user, name=f"{data} held-out", dataset=data)
    same = Comparison.objects.filter(prompt_set=prompt_set, comparison_candidates__model=candidate)
    run = same.exclude(status__in=[Job.Status.FAILED, Job.Status.CANCELLED]).first()
    if run is None:
        run = comparisons.launch(
            user=user,
            name="Base against tuned",
            prompt_set=prompt_set,
            candidates=[candidate],
            decoding=recipe.DECODING,
        )
    _follow(run.pk, show, alive, lambda job: job.stage.lower())
    run.refresh_from_db()
    show.result(_accuracy(run))
    return run


def _accuracy(run: Comparison) -> str:
    document = comparison_document(run)
    decision = (
        next((figure for figure in document.fields if figure.name == "decision"), None) if document else None
    )
    if decision is None:
        return "no decisions to compare"
    shares = f"{decision.text.baseline} → {decision.text.candidate}"
    return f"decision right in {shares} of {run.prompt_set.size} held-out cases"


def campaign(user: User, run: Comparison, show: Stage) -> Campaign:
    opened = Campaign.objects.filter(comparison=run).first()
    if opened is None:
        opened = campaigns.create(
            user=user,
            title="Customer replies, first round",
            comparison=run,
            rubric_text=rubrics.builtin("customer_support"),
            overlap=OVERLAP,
            pairs=min(PAIRS, run.prompt_set.size),
            looks=(INTERIM, 1.0),
        )
    campaigns.open_campaign(campaign=opened, user=user)
    opened.refresh_from_db()
    if opened.status == Campaign.Status.OPEN:
        target = round(INTERIM * opened.ratings_planned)
        reviewers.rate(
            campaign=opened,
            target=target,
            panel=PANEL,
            seed=SEED,
            tick=lambda rated: show(rated, target, "simulated"),
        )
    rated = opened.ratings.filter(kind="real").count()
    simulated = opened.ratings.filter(kind="real", assignment__reviewer__is_simulated=True).count()
    show.result(
        f"{rated} of {opened.ratings_planned} ratings, {simulated} of them SIMULATED; the rest is yours"
    )
    return opened


def report(user: User, rated: Campaign) -> Report:
    """The report of the planned analysis that is due, or else the latest one. It is also written as JSON and
    Markdown."""
    if planned_analyses.next_look(rated)["due"]:
        reports.take_look(campaign=rated, user=user)
    latest = rated.reports.first()
    if latest is None:
        raise DemoFailed("The campaign has too few ratings for its first planned look.")
    (folder() / "report.json").write_text(
        json.dumps(latest.result, ensure_ascii=False, indent=2), encoding="utf-8"
    )
    (folder() / "report.md").write_text(markdown(latest), encoding="utf-8")
    return latest
