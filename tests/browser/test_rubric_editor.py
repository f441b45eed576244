"""The rubric editor and the instructions in a browser: line numbers, the way to an error, and formatted text."""

import pytest
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page, expect

from tests import factories
from tests.browser.test_accessibility import complaints, opened
from tests.evaluation.review.test_rubric_pages import INSTRUCTIONS, LESSONS, QUESTION

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

TEXT = INSTRUCTIONS + QUESTION + LESSONS
BEFORE = "(() => { const at = document.activeElement; return at.value.slice(0, at.selectionStart); })()"


@pytest.fixture(params=[1280, 390])
def page(request, browser, live_server):
    client = Client()
    client.force_login(factories.user("manager"))
    page = opened(browser, live_server.url, request.param, "light")
    page.context.add_cookies(
        [
            {"name": name, "value": cookie.value, "url": live_server.url}
            for name, cookie in client.cookies.items()
        ]
    )
    yield page
    page.context.close()


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


def test_an_error_is_numbered_and_one_click_away(page):
    page.goto(reverse("evaluation:rubric_edit"))
    area = page.locator("textarea")
    # The sign before the error takes two UTF-16 units.
    area.fill(
        "\n" * 30 + TEXT.replace("Empathy**\n{type: scale,", "Empathy**\n{type: scale, help: 🙂, pre: 1,")
    )
    expect(page.locator("#preview")).to_contain_text("A scale has no attribute pre.")
    line = 30 + TEXT.split("{type: scale")[0].count("\n") + 1
    expect(page.locator("#preview .title")).to_have_text(f"Line {line}, column 24")
    expect(page.locator(".line-numbers mark")).to_have_text(str(line))
    page.get_by_role("button", name=f"Go to line {line}").click()
    expect(area).to_be_focused()
    before = page.evaluate(BEFORE).split("\n")
    assert (len(before), before[-1]) == (line, "{type: scale, help: 🙂, ")
    numbers, text = (
        page.locator(name).evaluate("at => at.scrollTop") for name in (".line-numbers", "textarea")
    )
    assert numbers == text > 0
    assert fits(page) and complaints(page) == []


def test_the_preview_says_what_a_campaign_needs(page):
    page.goto(reverse("evaluation:rubric_edit"))
    page.locator("textarea").fill(TEXT.replace("per: side", "per: pair"))
    expect(page.locator("#preview")).to_contain_text("A campaign cannot use this rubric yet")
    expect(page.locator("#preview")).to_contain_text("Questions for the whole campaign")
    numbers = page.locator(".line-numbers").inner_text().split()
    assert numbers == [str(number + 1) for number in range(len(TEXT.split("\n")))]
    expect(page.locator("#preview pre")).to_have_text('{"decision": "refund"}')
    assert fits(page) and complaints(page) == []
    page.get_by_label("Name").fill("Replies")
    page.get_by_role("button", name="Save version").click()
    expect(page.locator("h1")).to_have_text("Replies")
    assert fits(page) and complaints(page) == []


def test_reviewers_read_formatted_instructions(page):
    campaign = factories.campaign(factories.user("manager"), rubric_text=TEXT)
    page.context.clear_cookies()
    page.goto(f"/r/{campaign.invites.get().code}/")
    expect(page.locator(".written li")).to_have_count(2)
    page.get_by_role("button", name="Start reviewing").press("Enter")
    expect(page.locator("#prompt-title")).to_have_text("Pair 1")
    page.get_by_role("button", name="Instructions").click()
    words = page.locator("#instructions-text")
    expect(words.locator("strong")).to_have_text("both")
    expect(words.locator("li")).to_have_count(2)
    expect(words.locator("pre")).to_have_text('{"decision": "refund"}')
    assert "tuned" not in words.inner_text()
    assert complaints(page) == []
