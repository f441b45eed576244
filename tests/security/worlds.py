"""A synthetic campaign and a recording of every response that its reviewers can request."""

import json
import random
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from evaluation.comparison.services import comparisons, responses
from evaluation.models import Campaign, Reviewer
from evaluation.review.services import campaigns, lottery, quality
from ftplatform.accounts.models import User
from ftplatform.jobs import services as jobs
from ftplatform.jobs.models import Job
from tests import factories
from training.config import DecodingConfig

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
PAIRS = 8
CANARIES = {
    "base": "canary-base-5f1c",
    "tuned": "canary-tuned-9a77",
    "run": "canary-run-31d0",
    "prompts": "canary-prompts-c4e2",
    "path": "/canary-path-77b1/weights",
}
UUID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}")
TOKEN = re.compile(r'(csrfmiddlewaretoken" value="|data-csrf="|X-CSRFToken": ")[A-Za-z0-9]{64}')
CODE = re.compile(r"/r/[\w-]{22}/")
DATE = re.compile(r"\w{3}, \d{2} \w{3} \d{4} \d{2}:\d{2}:\d{2} GMT")
COOKIE = re.compile(r"(csrf|reviewer-[0-9a-f]{32})=[^;]+")


@dataclass(frozen=True)
class Answer:
    """One response with its random parts masked; `size` is its length before masking."""

    request: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: str
    size: int


def mask(text: str) -> str:
    """The text without tokens, ids and the times in cookies, for which Django reads the system clock directly."""
    for pattern, instead in (
        (COOKIE, r"\1=SECRET"),
        (TOKEN, r"\1TOKEN"),
        (UUID, "UUID"),
        (CODE, "/r/CODE/"),
        (DATE, "DATE"),
    ):
        text = pattern.sub(instead, text)
    return text


def make_still(patch: pytest.MonkeyPatch, *, swapped: bool) -> None:
    """Freeze the clock and every random generator. In the swapped world every side is drawn in reverse, so that the
    same text is on the left although the other model wrote it."""
    dice = random.Random(7)
    patch.setattr(timezone, "now", lambda: NOW)
    for name in ("choice", "randbelow", "randbits"):
        drawn = {"choice": dice.choice, "randbelow": dice.randrange, "randbits": dice.getrandbits}[name]
        patch.setattr(secrets, name, drawn)
    patch.setattr(secrets, "SystemRandom", lambda: random.Random(11))
    patch.setattr(quality, "_dice", lambda reviewer, purpose: random.Random(f"{reviewer.number} {purpose}"))
    real = lottery.sides

    def sides(overlap: int, rng: random.Random, begun: str = "") -> str:
        letters = real(overlap, rng, begun)
        return letters.translate(str.maketrans("LR", "RL")) if swapped else letters

    patch.setattr(lottery, "sides", sides)
    made = quality._content

    def content(kind: Any, pair: Any, rng: Any) -> Any:
        """Quality items use a generator of their own to mix the two texts."""
        turned: Any = (
            SimpleNamespace(
                baseline_response=pair.candidate_response, candidate_response=pair.baseline_response
            )
            if swapped
            else pair
        )
        return made(kind, turned, rng)

    patch.setattr(quality, "_content", content)


def campaign(*, swapped: bool, **options: Any) -> Campaign:
    """The texts of prompt N are "alpha N" and "beta N". The base writes alpha; in the swapped world the tuned model
    does. Everything else about the models differs as much as possible."""
    owner = User.objects.create_user("owner@example.org", None, role="admin", name="Owner")
    base = factories.base_model(owner, name=CANARIES["base"], path=CANARIES["path"])
    tuned = factories.adapter(owner, name=CANARIES["tuned"], base=base)
    prompts = factories.prompt_set(owner, PAIRS)
    prompts.name = CANARIES["prompts"]
    prompts.save()
    run = comparisons.launch(
        user=owner,
        name=CANARIES["run"],
        prompt_set=prompts,
        candidates=[tuned],
        decoding=DecodingConfig(max_new_tokens=1237),
    )
    claim = jobs.claim_next(queue=run.queue, worker="test")
    assert claim is not None
    for number, prompt in enumerate(prompts.prompts.order_by("pk")):
        for model in (base, tuned):
            alpha = (model == base) != swapped
            figures = {"output_tokens": 12, "batch_latency_ms": 80.0, "finish_reason": "stop"}
            if model == tuned:
                figures = {"output_tokens": 1237, "batch_latency_ms": 912.5, "finish_reason": "length"}
            text = f"{'alpha' if alpha else 'beta'} answer to {number}, said in five words or more"
            responses.record_responses(claim, [factories.response(run, prompt, model, text=text, **figures)])
    responses.complete(claim, {"device": "canary-device-0aa1"})
    jobs.finish(claim, Job.Status.SUCCEEDED)
    run.refresh_from_db()
    settings = {
        "edit_minutes": None,
        "allow_markdown": True,
        "quality_every": 3,
        "pairs": PAIRS - 2,
    } | options
    return factories.campaign(owner, overlap=2, comparison=run, **settings)


class Visitor:
    """A browser opened with the campaign's link, and a log of every response."""

    def __init__(self) -> None:
        self.client = Client(raise_request_exception=False)
        self.seen: list[Answer] = []

    def ask(self, method: str, path: str, content: Any = None, **extra: Any) -> Any:
        given: dict[str, Any] = {"content_type": "application/json"} if "/api/" in path else {}
        if content is not None:
            given["data"] = json.dumps(content) if "/api/" in path else content
        answer = getattr(self.client, method.lower())(path, **given, **extra)
        body = b"".join(answer.streaming_content) if answer.streaming else answer.content
        cookies = tuple(("Set-Cookie", mask(cookie.OutputString())) for cookie in answer.cookies.values())
        headers = tuple(sorted((name, mask(value)) for name, value in answer.headers.items())) + cookies
        self.seen.append(
            Answer(f"{method} {mask(path)}", answer.status_code, headers, mask(body.decode()), len(body))
        )
        return answer


def crawl(of: Campaign) -> list[Answer]:
    """Request everything that a reviewer can reach, including errors and refusals, before and after the campaign
    closes."""
    visitor = Visitor()
    code, review = of.invites.earliest("id").code, f"/review/{of.pk}"
    api = f"/api/v1/campaigns/{of.pk}"
    visitor.ask("GET", review + "/")
    visitor.ask("GET", f"/r/{code}/")
    visitor.ask("POST", f"/r/{code}/", {})
    visitor.ask("GET", "/r/no-such-link/")
    pages = ["/", "/done/", "/mine/", "/manifest.webmanifest"]
    for page in pages:
        visitor.ask("GET", review + page)
    visitor.ask("GET", "/review/worker.js")
    rated = 0
    while (answer := visitor.ask("POST", f"{api}/assignments/next?resume=1")).status_code == 200:
        _one_pair(visitor, of, answer.json(), rated)
        rated += 1
        assert rated < 100
    for page in [*pages, "/mine/?page=2", "/done/?answered"]:
        visitor.ask("GET", review + page)
    visitor.ask("POST", f"{review}/guess/", {"side": "candidate"})
    visitor.ask("POST", f"{review}/guess/", {"side": "left"})
    visitor.ask("GET", f"{api}/practice")
    for path in (
        f"{api}/report/",
        f"{api}/",
        "/api/v1/campaigns/",
        f"/campaigns/{of.pk}/",
        "/api/v1/schema/",
    ):
        visitor.ask("GET", path)
    token = Reviewer.objects.filter(campaign=of).earliest("pk").assignments.latest("pk").token
    campaigns.close(campaign=of, user=of.created_by, reason="crawled")
    values = factories.answers(of)
    for path in (f"{api}/assignments/next", f"/api/v1/assignments/{token}/revisions"):
        visitor.ask("POST", path, values | {"preference": "tie"})
    for page in [*pages, "/mine/"]:
        visitor.ask("GET", review + page)
    visitor.ask("GET", f"/r/{code}/")
    visitor.ask("POST", f"{review}/erase/", {})
    visitor.ask("GET", f"{review}/mine/")
    return visitor.seen


def _one_pair(visitor: Visitor, of: Campaign, pair: dict[str, Any], number: int) -> None:
    one = f"/api/v1/assignments/{pair['token']}"
    values = factories.answers(of) | {"preference": ("left", "right", "tie", "both_bad")[number % 4]}
    visitor.ask("POST", f"/api/v1/campaigns/{of.pk}/assignments/next?after={pair['token']}")
    visitor.ask("PUT", f"{one}/draft", {"content": {"rating": values}})
    if number == 1:
        visitor.ask("POST", f"{one}/skip", {"reason": "other", "text": ""})
        visitor.ask("POST", f"{one}/problem", {"reason": "reveals", "text": "It says so."})
        visitor.ask("PUT", f"{one}/rating", values | {"scores": {}})
        visitor.ask("PUT", f"{one}/rating", values | {"candidate_left": True})
        visitor.ask("PUT", f"{one[:-4]}0000/rating", values)
    if number == 2:
        visitor.ask("POST", f"{one}/skip", {"reason": "language", "text": ""})
        visitor.ask("PUT", f"{one}/rating", values)
        return
    visitor.ask("PUT", f"{one}/rating?next=1", values)
    visitor.ask("PUT", f"{one}/rating", values)
    visitor.ask("PUT", f"{one}/rating", values | {"comment": "changed"})
    visitor.ask("GET", f"{one}/rating")
    visitor.ask("POST", f"{one}/revisions", values | {"comment": "revised"})
