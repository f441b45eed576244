"""The practice round and who qualifies by it."""

import pytest
from django.urls import reverse

from evaluation.models import Assignment, Reviewer
from evaluation.review.selectors import reviewing
from evaluation.review.services import assignments, campaigns, practice
from ftplatform.errors import DomainError
from tests import factories

pytestmark = pytest.mark.django_db


def item(number, *expected):
    return {
        "prompt": {"instruction": f"Practice {number}", "input": {}},
        "left": "L",
        "right": "R",
        "expected": list(expected),
        "explanation": f"Because {number}.",
    }


@pytest.fixture
def reviewer():
    practising = [item(0, "left"), item(1, "tie", "both_bad")]
    campaign = factories.campaign(factories.user("manager"), practice=practising, practice_pass=1)
    return factories.reviewer(campaign)


def fresh(reviewer):
    return Reviewer.objects.select_related("campaign").get(pk=reviewer.pk)


def test_it_stands_before_the_first_pair_and_shows_no_answer(reviewer):
    with pytest.raises(DomainError) as caught:
        assignments.next_for(reviewer=reviewer)
    assert caught.value.code == "practice_first"
    shown = practice.current(reviewer)
    assert shown is not None and shown["number"] == 0 and shown["of"] == 2
    assert set(shown) == {"number", "of", "prompt", "left", "right"}


def test_every_answer_is_explained_and_the_last_opens_the_review(reviewer):
    first = practice.answer(reviewer=reviewer, number=0, preference="left")
    assert first["right"] and first["explanation"] == "Because 0." and first["left"] == 1
    last = practice.answer(reviewer=reviewer, number=1, preference="right")
    assert not last["right"] and last["expected"] == ["tie", "both_bad"] and last["qualified"]
    assert practice.current(fresh(reviewer)) is None
    assert factories.lease(fresh(reviewer))


def test_who_stays_below_the_threshold_is_screened_out_and_gets_no_pair(reviewer):
    practice.answer(reviewer=reviewer, number=0, preference="right")
    last = practice.answer(reviewer=reviewer, number=1, preference="right")
    assert not last["qualified"]
    assert fresh(reviewer).status == Reviewer.Status.SCREENED_OUT
    assert assignments.next_for(reviewer=fresh(reviewer)) is None
    assert not Assignment.objects.exists()


def test_who_did_not_qualify_is_told_why_and_not_sent_back_for_more(client, reviewer):
    token = Reviewer.new_token()
    for number, preference in ((0, "right"), (1, "right")):
        practice.answer(reviewer=reviewer, number=number, preference=preference)
    Reviewer.objects.filter(pk=reviewer.pk).update(digest=Reviewer.digest_of(token))
    client.cookies[reviewing.reviewer_cookie(reviewer.campaign_id)] = token
    shown = client.get(reverse("evaluation:review_done", args=[reviewer.campaign_id])).content.decode()
    assert "at least 1 of its 2 answers must be right, and 0 of yours were" in shown
    assert "more pairs to rate" not in shown and "No pair rated" not in shown


def test_an_answer_given_stays(reviewer):
    practice.answer(reviewer=reviewer, number=0, preference="right")
    again = practice.answer(reviewer=reviewer, number=0, preference="left")
    assert not again["right"]
    assert len(fresh(reviewer).practice) == 1


@pytest.mark.parametrize(
    ("number", "preference", "code"),
    [(1, "left", "practice_order"), (-1, "left", "practice_order"), (0, "candidate", "invalid_preference")],
)
def test_only_the_next_item_takes_an_answer_and_only_a_real_one(reviewer, number, preference, code):
    with pytest.raises(DomainError) as caught:
        practice.answer(reviewer=reviewer, number=number, preference=preference)
    assert caught.value.code == code


def test_a_practice_pair_can_be_a_conversation():
    chat = [{"from": "human", "value": "Hello?"}, {"from": "gpt", "value": "Yes?"}]
    asked = item(0, "left") | {"prompt": {"messages": [*chat, {"from": "human", "value": "Where is it?"}]}}
    campaign = factories.campaign(factories.user("manager"), practice=[asked])

    shown = practice.current(factories.reviewer(campaign))

    assert shown is not None
    assert [(turn["role"], turn["text"]) for turn in shown["prompt"]["turns"]] == [
        ("user", "Hello?"),
        ("assistant", "Yes?"),
        ("user", "Where is it?"),
    ]
    assert shown["prompt"]["instruction"] == "" and shown["prompt"]["tools"] == []


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ({"messages": [{"role": "assistant", "content": "Yes?"}]}, "must begin with a user turn"),
        ({"messages": []}, "must be a list of turns"),
        ({"messages": [{"role": "user", "content": "a"}], "input": ""}, "Its prompt is"),
        ({"tools": []}, "Its prompt is"),
    ],
)
def test_a_practice_conversation_that_is_none_names_its_place(prompt, said):
    with pytest.raises(DomainError) as caught:
        factories.campaign(factories.user("manager"), practice=[item(0, "left") | {"prompt": prompt}])
    (problem,) = caught.value.problems
    assert problem["field"] == "practice[0]" and said in problem["message"]


def test_a_pair_that_is_a_conversation_keeps_it_as_a_practice_pair(client):
    manager = factories.user("manager")
    run = factories.comparison(manager)
    factories.with_turns(run.prompt_set)
    campaign = campaigns.create(
        user=manager, title="Replies", rubric_text=factories.RUBRIC, overlap=1, pairs=2, comparison=run
    )
    client.force_login(manager)
    pair = run.pairs.earliest("pk")
    answer = {"left": "a", "right": "b", "expected": ["left"], "explanation": "Because."}

    client.post(reverse("evaluation:practice", args=[campaign.pk]), {"pair": pair.pk, **answer})

    campaign.refresh_from_db()
    (stored,) = campaign.practice
    assert stored["prompt"] == {"messages": pair.prompt.messages, "tools": factories.TOOLS}
    assert stored["pair"] == pair.pk
