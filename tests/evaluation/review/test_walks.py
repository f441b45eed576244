"""Random walks through everything that can happen to a campaign, with the rules of review checked after every step.

A model in plain Python says what must come of each step; the database is only read to compare. Walks begin at the same
campaign, end with a rollback, and draw nothing but integers, so that one that fails can be repeated and shortened.
"""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
from django.db import connection, transaction
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from evaluation.models import Assignment, Campaign, Rating, Reviewer, ReviewItem
from evaluation.review.selectors.counted_ratings import ratings_arrays
from evaluation.review.services import (
    amendments,
    assignments,
    campaigns,
    crowd,
    erasure,
    quality,
    ratings,
    reported_problems,
)
from evaluation.stats import OUTCOMES
from ftplatform.errors import DomainError
from tests import factories

pytestmark = pytest.mark.django_db
PLATFORM = {"preset": "prolific", "codes": {"completed": "C1", "screened_out": "C2", "failed": "C3"}}
STATUS = {"held": "leased", "overdue": "leased", "expired": "expired", "rated": "rated", "skipped": "skipped"}
WALKS = 12
some = st.integers(0, 30)
preferences = st.sampled_from(["left", "right", "tie", "both_bad"])


@dataclass
class Person:
    pk: int
    number: str
    status: str = "active"
    erased: bool = False


@dataclass
class Seen:
    """A pair as one person saw it, and what has become of it."""

    token: Any
    person: Person
    item: int
    real: bool
    left: str
    state: str = "held"
    rating: int = 0
    answer: dict[str, Any] = field(default_factory=dict)

    @property
    def side(self) -> str:
        """Where the candidate stood, by the text itself: in these comparisons it says yes."""
        return "L" if "Yes" in self.left else "R"


class Review(RuleBasedStateMachine):
    """R1 to R6 and the cap hold whatever reviewers and managers do, in whatever order."""

    beginnings: ClassVar[list[Campaign]]
    patch: ClassVar[pytest.MonkeyPatch]

    def __init__(self) -> None:
        super().__init__()
        self.people: list[Person] = []
        self.seen: list[Seen] = []
        self.status = "open"
        self.steps = 0
        self.rollback: transaction.Atomic | None = None

    @initialize(which=st.integers(0, 1), seed=st.integers(0, 99))
    def begin(self, which: int, seed: int) -> None:
        self.rollback = transaction.atomic()
        self.rollback.__enter__()
        self.campaign = Campaign.objects.get(pk=self.beginnings[which].pk)
        self.owner, self.overlap = self.campaign.created_by, self.campaign.overlap
        lot = random.Random(seed)
        drawn = SimpleNamespace(
            SystemRandom=lambda: lot, choice=lot.choice, randbelow=lot.randrange, randbits=lot.getrandbits
        )
        for module in (assignments, quality):
            self.patch.setattr(module, "secrets", drawn)
        for number in range(3):
            self.join(number)

    def teardown(self) -> None:
        if self.rollback is not None:
            transaction.set_rollback(True)
            self.rollback.__exit__(None, None, None)

    # ---- reviewers

    @rule(number=st.integers(0, 5))
    def join(self, number: int) -> None:
        """Somebody new, or a participant whose place was given back."""
        came, code = self._try(
            lambda: factories.reviewer(self.campaign, participant={"PROLIFIC_PID": f"p{number}"})
        )
        assert code == self.gate or (not self.gate and code == "participant_taken")
        known = {person.pk: person for person in self.people}
        if came and came.pk in known:
            assert known[came.pk].status == "returned" and not known[came.pk].erased
            known[came.pk].status = "active"
        elif came:
            self.people.append(Person(came.pk, came.external_id))

    @precondition(lambda self: self.people)
    @rule(pick=some, ahead=st.booleans())
    def ask(self, pick: int, ahead: bool) -> None:
        person = self.people[pick % len(self.people)]
        reviewer = Reviewer.objects.select_related("campaign").get(pk=person.pk)
        holds = self._of(person, "held")
        after = holds[0].token if ahead and holds else None
        found, code = self._try(lambda: assignments.next_for(reviewer=reviewer, after=after))
        self._become("expired", self._in("overdue"))
        person.status = reviewer.status
        assert code == self.gate
        waiting = [one.token for one in holds if one.token != after]
        if found is not None:
            assert not waiting or found.token in waiting, "what is in hand comes first"
            self._note(person, found)
        elif not self.gate and not holds and person.status not in ("returned", "failed"):
            self._nothing_left(person)

    @precondition(lambda self: self.people)
    @rule(pick=some, preference=preferences, points=st.integers(1, 3))
    def rate(self, pick: int, preference: str, points: int) -> None:
        """What reviewers mostly do: ask, and rate what they have in hand."""
        person = self.people[pick % len(self.people)]
        self.ask(pick, ahead=False)
        if holds := self._of(person, "held"):
            self._submit(holds[0], preference, points)

    def _note(self, person: Person, found: Assignment) -> None:
        left = quality.shown_texts(found)[0]
        real = found.item.kind == "real"
        known = [one for one in self.seen if (one.person, one.item) == (person, found.item_id)]
        if not known:
            self.seen.append(Seen(found.token, person, found.item_id, real, left))
            return
        (one,) = known
        assert one.token == found.token and one.state in ("held", "expired"), "R2: shown a second time"
        assert one.left == left, "R6: the sides have changed"
        one.state = "held"

    def _nothing_left(self, person: Person) -> None:
        """Whoever is told that nothing is left has reached the cap, or met everything that is open."""
        mine = {one.item: one for one in self.seen if one.person is person}
        counted = sum(one.real for one in self._of(person, "held", "rated"))
        if self.campaign.max_per_reviewer is not None and counted >= self.campaign.max_per_reviewer:
            return
        for item in self.campaign.items.filter(kind="real"):
            taken = [one.side for one in self._in("held", "rated") if one.item == item.pk]
            one = mine.get(item.pk)
            if one is None:
                assert len(taken) == self.overlap, "an open pair was kept from somebody"
            elif one.state == "expired":
                assert taken.count(one.side) == item.sides.count(one.side), (
                    "their own pair was not given back"
                )

    @precondition(lambda self: self.seen)
    @rule(pick=some, preference=preferences, points=st.integers(1, 3))
    def submit(self, pick: int, preference: str, points: int) -> None:
        """Any pair that anybody ever saw: in hand, run out, rated, skipped."""
        one = self._pick(pick)
        if one is not None and not one.person.erased:  # whose token is dead
            self._submit(one, preference, points)

    def _submit(self, one: Seen, preference: str, points: int) -> None:
        answer = factories.answers(self.campaign, left=points) | {"preference": preference}
        stored, code = self._try(
            lambda: ratings.submit(reviewer=self._who(one), token=one.token, answer=ratings.Answer(**answer))
        )
        if one.state == "rated":
            assert (stored.pk == one.rating) if one.answer == answer else (code == "already_rated")
            return
        if self.gate:
            assert code == self.gate, "R4: taken after the close"
        elif one.state == "skipped":
            assert code == "skipped"
        elif one.state == "expired":
            assert code in ("", "lease_expired_full", "cap_reached")
        else:
            assert code == "", "a rating within its lease was refused"
        if stored:
            one.state, one.answer, one.rating = "rated", answer, stored.pk

    @precondition(lambda self: self.seen)
    @rule(pick=some, preference=preferences, points=st.integers(1, 3))
    def revise(self, pick: int, preference: str, points: int) -> None:
        one = self._pick(pick)
        if one is None or one.person.erased:
            return
        answer = factories.answers(self.campaign, left=points) | {"preference": preference}
        stored, code = self._try(
            lambda: ratings.revise(reviewer=self._who(one), token=one.token, answer=ratings.Answer(**answer))
        )
        if one.state != "rated":
            assert code == "not_rated"
        elif one.answer != answer:
            allowed = "" if self.campaign.edit_minutes is None else "edit_closed"
            assert code == (self.gate or allowed), "R4: changed after the close"
        if stored:
            one.answer = answer

    @precondition(lambda self: self.seen)
    @rule(pick=some)
    def skip(self, pick: int) -> None:
        one = self._pick(pick)
        if one is None or one.person.erased:
            return
        _, code = self._try(
            lambda: reported_problems.skip(
                reviewer=self._who(one), token=one.token, reason="other", text="No."
            )
        )
        if one.state != "skipped":
            assert code == (self.gate or ("already_rated" if one.state == "rated" else ""))
            self._become("skipped", [one] if not code else [])

    @precondition(lambda self: self.seen)
    @rule(pick=some)
    def let_run_out(self, pick: int) -> None:
        if (one := self._pick(pick)) and one.state == "held":
            past = timezone.now() - timedelta(seconds=1)
            Assignment.objects.filter(token=one.token).update(lease_expires_at=past)
            one.state = "overdue"

    # ---- managers, who act now and then: most steps are the reviewers'

    @precondition(lambda self: self.people and self.steps % 4 == 0)
    @rule(pick=some)
    def give_back(self, pick: int) -> None:
        person = self.people[pick % len(self.people)]
        done = crowd.mark_returned(campaign=self.campaign, user=self.owner, participants=[person.number])
        if person.number and person.status == "active":
            assert done["released"] == 1
            person.status = "returned"
            self._become("expired", self._of(person, "held", "overdue"))

    @precondition(lambda self: self.people and self.steps % 8 == 0)
    @rule(pick=some)
    def erase(self, pick: int) -> None:
        person = self.people[pick % len(self.people)]
        erasure.erase(reviewer=Reviewer.objects.get(pk=person.pk), user=self.owner)
        person.erased, person.number = True, ""
        person.status = "returned" if person.status == "active" else person.status
        self._become("expired", self._of(person, "held", "overdue"))

    @precondition(lambda self: self.status == "paused" or self.steps % 8 == 7)
    @rule(resumes=st.booleans())
    def pause_or_resume(self, resumes: bool) -> None:
        act, to = (campaigns.resume, "open") if resumes else (campaigns.pause, "paused")
        _, code = self._try(lambda: act(campaign=self.campaign, user=self.owner))
        assert code == ("wrong_status" if self.status == "closed" else "")
        self.status = self.status if code else to

    @precondition(lambda self: self.overlap < 4 and self.steps % 8 == 3)
    @rule()
    def extend(self) -> None:
        more = self.overlap + 1
        _, code = self._try(
            lambda: amendments.amend(campaign=self.campaign, user=self.owner, reason="More.", overlap=more)
        )
        assert code == ("wrong_status" if self.status == "closed" else "")
        self.overlap = self.overlap if code else more

    @precondition(lambda self: self.steps > 25)
    @rule()
    def close(self) -> None:
        campaigns.close(campaign=self.campaign, user=self.owner, reason="Enough.")
        self.status = "closed"

    # ---- after every step

    @invariant()
    def the_rules_hold(self) -> None:
        self.steps += 1
        self.campaign.refresh_from_db()
        holding = list(
            Assignment.objects.filter(status__in=Assignment.HOLDING, item__kind="real").values_list(
                "item", "slot", "candidate_left", "reviewer"
            )
        )
        assert max(Counter((row[0], row[3]) for row in holding).values(), default=0) <= 1, "R2"
        for item in ReviewItem.objects.filter(campaign=self.campaign, kind="real"):
            held = [row for row in holding if row[0] == item.pk]
            assert len(held) <= self.overlap, "R3: more than the overlap"
            assert len(held) + item.open_slots == self.overlap == len(item.sides), "R3: a slot is lost"
            assert all((item.sides[slot] == "L") is left for _, slot, left, _ in held), (
                "R5: another side's slot"
            )
            assert abs(item.sides.count("L") - item.sides.count("R")) <= 1, "R5: unbalanced"
        self._cap_holds()
        self._nothing_is_lost()

    def _cap_holds(self) -> None:
        rated = Counter(one.person.pk for one in self._in("rated") if one.real)
        cap = self.campaign.max_per_reviewer
        assert cap is None or max(rated.values(), default=0) <= cap, "cap"

    def _nothing_is_lost(self) -> None:
        assert dict(Assignment.objects.values_list("token", "status")) == {
            one.token: STATUS[one.state] for one in self.seen
        }
        told = {one.rating: (one.answer["preference"], one.answer["scores"]) for one in self._in("rated")}
        rows = Rating.objects.values_list("pk", "preference", "scores")
        assert {pk: (preference, scores) for pk, preference, scores in rows} == told, "R1"
        meant = Counter(self._meant(one) for one in self._in("rated") if one.real)
        counted = np.bincount(ratings_arrays(self.campaign).ratings.outcome, minlength=len(OUTCOMES))
        assert [meant[name] for name in OUTCOMES] == counted.tolist(), (
            "R6: a rating counts for the other side"
        )

    @staticmethod
    def _meant(one: Seen) -> str:
        preference: str = one.answer["preference"]
        if preference in ("tie", "both_bad"):
            return preference
        return "win" if (preference == "left") is (one.side == "L") else "loss"

    # ---- the model

    @property
    def gate(self) -> str:
        return {"open": "", "paused": "campaign_paused", "closed": "campaign_closed"}[self.status]

    def _in(self, *states: str) -> list[Seen]:
        return [one for one in self.seen if one.state in states]

    def _of(self, person: Person, *states: str) -> list[Seen]:
        return [one for one in self._in(*states) if one.person is person]

    def _become(self, state: str, which: list[Seen]) -> None:
        for one in which:
            one.state = state

    def _pick(self, pick: int) -> Seen | None:
        return self.seen[pick % len(self.seen)] if self.seen else None

    def _who(self, one: Seen) -> Reviewer:
        return Reviewer.objects.select_related("campaign").get(pk=one.person.pk)

    def _try(self, act: Callable[[], Any]) -> tuple[Any, str]:
        try:
            return act(), ""
        except DomainError as error:
            return None, error.code


@pytest.fixture
def walk(monkeypatch):
    """Take so many walks; two campaigns to begin at, of which the first is paid, capped and has quality items."""
    owner = factories.user("manager")
    paid = factories.campaign(owner, 4, 2, quality_every=2, crowd=PLATFORM, max_per_reviewer=2)
    plain = factories.campaign(owner, 2, 1, edit_minutes=None)

    def take(walks: int, **options: Any) -> None:
        machine = type("Walk", (Review,), {"beginnings": [paid, plain], "patch": monkeypatch})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=walks,
                stateful_step_count=40,
                deadline=None,
                derandomize=True,
                database=None,
                suppress_health_check=list(HealthCheck),
                **options,
            ),
        )

    return take


def test_the_rules_of_review_hold_on_every_walk(walk):
    walk(WALKS)


def ignore_the_close(monkeypatch):
    monkeypatch.setattr(ratings, "require_accepting", lambda status: None)


def take_every_late_rating(monkeypatch):
    monkeypatch.setattr(ratings, "take_again", lambda late: True)
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX assignment_slot_held_once")


def choose_the_side_at_the_lease(monkeypatch):
    lease = assignments._lease

    def other_side(*given, candidate_left, **named):
        return lease(*given, candidate_left=not candidate_left, **named)

    monkeypatch.setattr(assignments, "_lease", other_side)


def swap_what_is_shown(monkeypatch):
    shown = quality.shown_texts
    monkeypatch.setattr(quality, "shown_texts", lambda one: shown(one)[::-1])


@pytest.mark.parametrize(
    ("guard_off", "broken"),
    [
        (ignore_the_close, "R4"),
        (take_every_late_rating, "R3"),
        (choose_the_side_at_the_lease, "R5"),
        (swap_what_is_shown, "R6"),
    ],
)
def test_with_a_guard_off_a_walk_fails(walk, monkeypatch, guard_off, broken):
    """The controls: the walks are long and varied enough to meet what each guard is for."""
    guard_off(monkeypatch)
    with pytest.raises(AssertionError, match=broken):
        walk(5 * WALKS, phases=[Phase.generate], report_multiple_bugs=False)
