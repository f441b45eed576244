"""The review screen in a browser: keyboard, messages, drafts, a lost connection, and two sides that look alike."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from evaluation.models import Assignment, Campaign, Prompt, Rating, Remark, Reviewer, Revision
from evaluation.review.services import assignments, campaigns, ratings
from tests import factories, services

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PAIRS = 3
SCALES = ("empathy", "helpfulness", "professionalism")


@pytest.fixture
def campaign(request) -> Campaign:
    options = {"pairs": PAIRS, "overlap": 1} | getattr(request, "param", {})
    return factories.campaign(factories.user("manager"), **options)


@pytest.fixture
def page(browser, live_server, campaign):
    """A reviewer in front of their first pair; the browser may complain about requests that a test
    refuses, never about a script or the content security policy."""
    context = browser.new_context(base_url=live_server.url, viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    opened.set_default_timeout(60_000)
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    opened.goto(f"/r/{campaign.invites.get().code}/")
    opened.get_by_role("button", name="Start reviewing").press("Enter")
    expect(opened.locator("#prompt-title")).to_have_text("Pair 1")
    yield opened
    context.close()
    assert [text for text in complaints if "Failed to load resource" not in text] == []


def rate(page: Page, preference: str = "ArrowLeft", points: str = "758690") -> None:
    """Fill in the form from wherever the focus is, by keys alone."""
    page.keyboard.press(preference)
    for digit in points:
        page.keyboard.press("Tab")
        page.keyboard.press(digit)


def test_everything_can_be_rated_by_keyboard_alone(page):
    expect(page.locator("#prompt-title")).to_be_focused()
    for number, key in enumerate(("ArrowLeft", "0", "9"), 1):
        expect(page.locator("#prompt-title")).to_have_text(f"Pair {number}")
        rate(page, key)
        page.keyboard.press("Control+Enter")
    expect(page).to_have_url(re.compile("/done/$"))
    expect(page.locator("main")).to_contain_text(f"{PAIRS} pairs")
    stored = list(Rating.objects.order_by("pk"))
    assert [rating.preference for rating in stored] == ["left", "tie", "both_bad"]
    assert stored[0].scores == dict(
        zip(SCALES, ({"left": 7, "right": 5}, {"left": 8, "right": 6}, {"left": 9, "right": 10}), strict=True)
    )
    assert all(0 < rating.active_ms < 600_000 for rating in stored)


def test_keys_are_silent_while_somebody_writes(page):
    page.locator("#comment").focus()
    page.keyboard.type("1 or 2? 0 d i")
    expect(page.locator("#comment")).to_have_value("1 or 2? 0 d i")
    expect(page.locator("#rating :checked")).to_have_count(0)
    expect(page.locator("dialog[open]")).to_have_count(0)
    page.locator("#submit").focus()
    page.keyboard.press("?")
    expect(page.locator("dialog#keys")).to_be_visible()
    page.keyboard.press("2")
    expect(page.locator("#rating :checked")).to_have_count(0)


def test_an_unset_scale_is_refused_with_a_message_at_its_field(page):
    page.keyboard.press("Control+Enter")
    expect(page.locator(".field-error")).to_have_count(4)
    expect(page.locator("[name=preference][value=left]")).to_be_focused()
    rate(page, points="75")
    page.keyboard.press("Tab")
    page.keyboard.press("3")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".field-error")).to_have_count(2)
    question = page.locator('.question[data-field="scores.helpfulness"]')
    expect(question.locator(".field-error")).to_have_text("Choose a number for the right response.")
    group = question.locator('[data-field="scores.helpfulness.right"] [role=radiogroup]')
    expect(group).to_have_attribute("aria-invalid", "true")
    expect(group).to_have_attribute("aria-describedby", re.compile("problem-scores.helpfulness"))
    expect(page.locator('[name="scores.helpfulness.right"][value="1"]')).to_be_focused()
    assert not Rating.objects.exists()


def test_what_the_server_refuses_is_shown_at_its_field(page):
    problem = {"field": "scores.empathy.right", "message": "Empathy: too kind."}
    page.route(
        "**/rating?*",
        lambda route: route.fulfill(
            status=409, json={"code": "invalid_rating", "detail": "No.", "problems": [problem]}
        ),
    )
    rate(page)
    page.keyboard.press("Control+Enter")
    expect(page.locator('.question[data-field="scores.empathy"] .field-error')).to_have_text(
        problem["message"]
    )
    expect(page.locator('[name="scores.empathy.right"][value="5"]')).to_be_checked()


def test_a_draft_survives_a_reload(page):
    rate(page, "2", "1234")
    page.locator("#comment").fill("Almost the same.")
    page.reload()
    expect(page.locator("#prompt-title")).to_have_text("Pair 1")
    expect(page.locator("#status")).to_contain_text("filled in")
    expect(page.locator("[name=preference][value=right]")).to_be_checked()
    chosen = page.locator("#questions :checked")
    assert chosen.evaluate_all("found => found.map((radio) => radio.value)") == ["1", "2", "3", "4"]
    expect(page.locator("#comment")).to_have_value("Almost the same.")


def until_the_next_pair_is_here(page: Page) -> None:
    """The screen asks for the pair to show and then, without a word, for the one after it."""
    asked = "performance.getEntriesByType('resource').filter((one) => one.name.includes('/assignments/next'))"
    services.wait_until(lambda: page.evaluate(f"{asked}.length >= 2"), seconds=120, what="the next pair")


def stored(count: int) -> None:
    services.wait_until(lambda: Rating.objects.count() == count, what=f"{count} ratings")


def test_ratings_given_offline_arrive_exactly_once_and_in_order(page):
    sent: list[str] = []
    page.on("requestfinished", lambda request: sent.append(request.method))
    until_the_next_pair_is_here(page)
    page.context.set_offline(True)
    rate(page, "1")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#prompt-title")).to_have_text("Pair 2")  # it was here already
    expect(page.locator("#unsent")).to_contain_text("One rating")
    rate(page, "2")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#notice")).to_contain_text("Saved on this device")
    page.keyboard.press("Control+Enter")
    assert not Rating.objects.exists()
    page.context.set_offline(False)
    expect(page.locator("#prompt-title")).to_have_text("Pair 3")
    expect(page.locator("#prompt-title")).to_be_focused()
    stored(2)
    assert [one.preference for one in Rating.objects.order_by("pk")] == ["left", "right"]
    # What is stored has still to be answered.
    kept = "Object.keys(localStorage).some((key) => /draft|outbox/.test(key))"
    services.wait_until(lambda: not page.evaluate(kept), seconds=120, what="the answers")
    page.wait_for_load_state("networkidle")
    assert sent.count("PUT") == 2


def test_a_rating_that_was_waiting_when_the_page_was_left_is_sent_on_return(page):
    page.route("**/rating?*", lambda route: route.abort("internetdisconnected"))
    rate(page)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#unsent")).to_be_visible()
    page.unroute("**/rating?*")
    page.reload()
    expect(page.locator("#prompt-title")).to_have_text("Pair 2")
    stored(1)


def test_a_rating_after_the_close_is_refused_kindly_and_its_draft_kept(page, campaign):
    rate(page)
    campaigns.close(campaign=campaign, user=campaign.created_by, reason="done")
    page.keyboard.press("Control+Enter")
    expect(page.locator("main")).to_contain_text("this review has ended")
    assert not Rating.objects.exists()
    assert page.evaluate("Object.keys(localStorage).filter((key) => /draft|outbox/.test(key))") != []


def taken_by_somebody_else(campaign: Campaign) -> Assignment:
    """Every pair is filled by others while the reviewer's lease has run out; returns what took the place of theirs."""
    Assignment.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    other = factories.reviewer(campaign)
    while (current := assignments.next_for(reviewer=other)) is not None:
        ratings.submit(reviewer=other, token=current.token, answer=factories.answer(campaign))
    return Assignment.objects.filter(status="rated").earliest("pk")


@pytest.mark.parametrize("campaign", [{"pairs": 1}], indirect=True)
def test_a_rating_that_comes_too_late_is_not_counted_and_its_draft_waits_for_the_pair(page, campaign):
    rate(page)
    page.locator("#comment").fill("Written in a tunnel.")
    other = taken_by_somebody_else(campaign)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#panel")).to_contain_text("this rating is not counted")
    stored(1)
    # The other one's place becomes free, so this reviewer may finish after all.
    Rating.objects.all().delete()
    Assignment.objects.filter(pk=other.pk).update(status="skipped")
    campaign.items.update(open_slots=1)
    page.get_by_role("button", name="Continue to the next pair").press("Enter")
    # Until the pair comes, the form of the refused rating is still there, out of sight.
    expect(page.locator("#comment")).to_be_visible()
    expect(page.locator("#comment")).to_have_value("Written in a tunnel.")
    expect(page.locator("[name=preference][value=left]")).to_be_checked()
    page.locator("#submit").press("Enter")
    stored(1)


@pytest.mark.parametrize("campaign", [{"edit_minutes": 10}], indirect=True)
def test_the_last_rating_is_changed_by_a_key(page):
    rate(page)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#prompt-title")).to_have_text("Pair 2")
    stored(1)
    page.keyboard.press("Control+z")
    expect(page.locator("#prompt-title")).to_have_text("Edit your rating")
    expect(page.locator("[name=preference][value=left]")).to_be_checked()
    page.keyboard.press("2")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#prompt-title")).to_have_text("Pair 2")
    services.wait_until(lambda: Revision.objects.exists(), what="the change")
    assert (Rating.objects.get().preference, Revision.objects.get().preference) == ("right", "left")


@pytest.mark.parametrize("campaign", [{"pairs": 22}], indirect=True)
def test_a_phone_stacks_the_responses_keeps_the_form_near_and_suggests_a_break(page, campaign):
    reviewer = Reviewer.objects.get()
    for _ in range(20):
        current = factories.lease(reviewer)
        ratings.submit(reviewer=reviewer, token=current.token, answer=factories.answer(campaign))
    page.set_viewport_size({"width": 390, "height": 844})
    page.reload()
    expect(page.locator("#prompt-title")).to_have_text("Pair 21")
    expect(page.locator("#break")).to_contain_text("You have rated 20 pairs")
    page.get_by_role("button", name="Not now", exact=True).click()
    expect(page.locator("#break")).to_be_hidden()
    expect(page.locator("#block-text")).to_have_text("0 of 2 in block 3 of 3")
    left, right = (page.locator(f"#side-{side}").bounding_box() for side in ("left", "right"))
    assert left and right and right["y"] >= left["y"] + left["height"] and left["x"] == right["x"]
    switch = page.get_by_role("navigation", name="Parts of this page")
    for part, reached in (("Right", "#side-right"), ("Rate", "#rating"), ("Request", "#prompt-title")):
        switch.get_by_role("button", name=part, exact=True).click()
        expect(page.locator(reached)).to_be_in_viewport()
        expect(switch).to_be_in_viewport(ratio=1)


def test_time_away_from_the_page_is_counted_apart_and_shown_to_nobody(page):
    page.evaluate(
        "Object.defineProperty(document, 'hidden', {configurable: true, get: () => true});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    page.wait_for_timeout(1500)
    page.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    rate(page)
    page.keyboard.press("Control+Enter")
    stored(1)
    rating = Rating.objects.get()
    assert rating.hidden_ms >= 1400 and rating.active_ms > 0
    expect(page.locator("#prompt-title")).to_have_text("Pair 2")
    assert not re.search(r"\d+ ?(s|sec|min)\b|\d:\d\d", page.locator("body").inner_text())


def test_the_request_is_a_table_with_long_documents_folded_and_json_is_laid_out(page):
    policy = "Refunds take five days. " * 30
    given = {"order_id": "A-17", "policy_document": policy, "channel": "chat", "items": ["lamp", "desk"]}
    Prompt.objects.update(input=given)
    page.reload()
    expect(page.locator("#prompt-title")).to_have_text("Pair 1")
    table = page.locator("#input > dl")
    expect(table.locator("dt")).to_have_text(["order id", "channel", "policy document", "items"])
    expect(table.locator("dd").nth(3)).to_have_text("lamp, desk")
    folded = table.locator("details .text")
    expect(folded).to_be_hidden()
    table.locator("summary").click()
    expect(folded).to_have_text(policy.strip())
    for side in ("left", "right"):
        shown = page.locator(f"#text-{side}").text_content() or ""
        assert re.fullmatch(r'\{\n  "decision": "(Yes|No)",\n  "urgent": false\n\}', shown)


def test_instructions_are_a_key_away_and_a_pair_is_skipped_with_a_reason(page):
    page.keyboard.press("i")
    expect(page.locator("dialog#instructions")).to_contain_text("which reply you would rather send")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Skip or report a problem").click()
    page.get_by_role("button", name="Skip this pair").click()
    expect(page.locator("#remark-problem")).to_be_visible()  # a reason is needed
    page.locator("#remarks [name=reason]").first.check()
    page.get_by_role("button", name="Skip this pair").click()
    services.wait_until(lambda: Remark.objects.filter(skipped=True).exists(), what="the skip")
    assert Remark.objects.get().assignment.status == "skipped" and not Rating.objects.exists()
    expect(page.locator("#remarks")).to_be_hidden()
    expect(page.locator("#text-left")).to_contain_text("decision")


def test_a_double_submit_stores_one_rating(page):
    rate(page)
    page.locator("#submit").dblclick()
    expect(page.locator("#prompt-title")).to_have_text("Pair 2")
    expect(page.locator("#notice")).to_be_hidden()
    stored(1)


def test_both_sides_have_the_same_markup_and_size(page):
    left, right = (page.locator(f"#side-{side}") for side in ("left", "right"))
    shapes = []
    for side in (left, right):
        html = side.evaluate("element => element.outerHTML")
        shapes.append(re.sub(r"left|right", "SIDE", re.sub(r">[^<]*<", "><", html), flags=re.IGNORECASE))
    assert shapes[0] == shapes[1]
    boxes = [side.bounding_box() for side in (left, right)]
    assert len({(box["width"], box["height"], box["y"]) for box in boxes if box}) == 1
    page.keyboard.press("d")
    for side in (left, right):
        expect(side.locator("mark")).to_have_count(1)
    marked = [side.locator("mark").all_inner_texts() for side in (left, right)]
    assert sorted(marked) == [["No"], ["Yes"]]


@pytest.mark.parametrize("campaign", [{"pairs": 2}], indirect=True)
def test_the_hourly_cap_says_when_to_come_back_and_the_draft_waits(page, campaign):
    rate(page)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#prompt-title")).to_have_text("Pair 2")
    stored(1)
    page.locator("#comment").fill("Not finished.")
    # While they are away the lease of the second pair runs out, and the cap is lowered.
    long_ago = timezone.now() - timedelta(hours=1)
    Assignment.objects.filter(status="leased").update(lease_expires_at=long_ago)
    Campaign.objects.update(max_per_hour=1)
    page.reload()
    panel = page.locator("#panel")
    expect(panel).to_contain_text("Hourly limit reached")
    expect(panel).to_contain_text(re.compile(r"come back at \d{1,2}:\d\d"))
    Rating.objects.update(submitted_at=long_ago)
    panel.get_by_role("button", name="Try now").press("Enter")
    expect(page.locator("#prompt-title")).to_have_text("Pair 2")
    expect(page.locator("#comment")).to_have_value("Not finished.")


BRANCHING = """## Your rating

{type: form}

**Empathy**
{type: scale, per: side, key: empathy}

**Would this settle the matter?**
{type: yes_no, per: side, key: resolved}

**What is missing?**
{type: text, per: side, key: missing, required: true, when: "resolved=no"}

**Why are both bad?**
{type: text, key: why, required: true, when: "preference=both_bad"}
"""


@pytest.mark.parametrize("campaign", [{"rubric_text": BRANCHING}], indirect=True)
def test_questions_appear_where_an_earlier_answer_asks_for_them(page):
    def choose(name: str, value: str) -> None:
        page.locator(f'[name="{name}"][value="{value}"]').check(force=True)

    missing, why = (page.locator(f'.question[data-field="answers.{key}"]') for key in ("missing", "why"))
    left, right = (page.locator(f'[data-field="answers.missing.{side}"]') for side in ("left", "right"))
    expect(missing).to_be_hidden()
    expect(why).to_be_hidden()
    for side in ("left", "right"):
        choose(f"scores.empathy.{side}", "7")
    choose("answers.resolved.left", "false")
    choose("preference", "both_bad")
    expect(left).to_be_visible()
    expect(right).to_be_hidden()
    expect(why).to_be_visible()
    page.keyboard.press("Control+Enter")
    expect(page.locator(".field-error")).to_have_count(2)
    left.locator("textarea").fill("The refund.")
    why.locator("textarea").fill("Rude.")
    choose("preference", "right")  # what was written about both is not asked any more
    expect(why).to_be_hidden()
    page.keyboard.press("Control+Enter")
    expect(page.locator("#prompt-title")).to_have_text("Pair 2")
    stored(1)
    assert Rating.objects.get().answers == {"resolved": {"left": False}, "missing": {"left": "The refund."}}
    expect(missing).to_be_hidden()
