"""axe-core on every page that a reviewer meets, in both schemes and at both widths; and a control that would tell."""

from pathlib import Path
from typing import Literal

import axe_playwright_python  # type: ignore[import-untyped]
import pytest
from playwright.sync_api import Browser, Page, expect

from evaluation.models import Campaign, Rating, Reviewer
from evaluation.review.services import campaigns
from tests import factories

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PRACTICE = [
    {
        "prompt": {"instruction": "Answer politely.", "input": {"question": "Where is it?"}},
        "left": "It is on its way.",
        "right": "Dunno.",
        "expected": ["left"],
        "explanation": "The right one is rude.",
    }
]


def complaints(page: Page) -> list[str]:
    page.evaluate(AXE)
    found = page.evaluate("(tags) => axe.run(document, {runOnly: tags})", TAGS)
    return [f"{one['id']}: {one['nodes'][0]['html'][:120]}" for one in found["violations"]]


def opened(browser: Browser, address: str, width: int, scheme: Literal["light", "dark"]) -> Page:
    context = browser.new_context(
        base_url=address,
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.set_default_timeout(60_000)
    return page


def rate_by_keyboard(page: Page) -> None:
    """Rate the first pair: left, and points for both sides on three scales."""
    page.keyboard.press("ArrowLeft")
    for digit in "758690":
        page.keyboard.press("Tab")
        page.keyboard.press(digit)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#prompt-title")).to_have_text("Pair 2")


def the_whole_path(page: Page, campaign: Campaign) -> dict[str, list[str]]:
    """Every page and every state of the screen, with what axe says of it."""
    found: dict[str, list[str]] = {}
    code = campaign.invites.get().code
    page.goto(f"/r/{code}/")
    found["invitation"] = complaints(page)
    page.get_by_label("I have read this").check()
    page.get_by_role("button", name="Start reviewing").press("Enter")
    expect(page.locator("#prompt-title")).to_have_text("Practice pair 1 of 1")
    found["practice"] = complaints(page)
    page.keyboard.press("1")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#notice")).to_contain_text("rude")
    found["practice, explained"] = complaints(page)
    page.keyboard.press("Enter")
    expect(page.locator("#prompt-title")).to_have_text("Pair 1")
    found["a pair"] = complaints(page)
    page.keyboard.press("d")
    page.locator("#submit").press("Control+Enter")
    expect(page.locator("#notice")).to_be_visible()
    found["a pair with problems"] = complaints(page)
    page.locator("#open-remarks").click()
    found["the remarks"] = complaints(page)
    page.locator("#remarks [value=close]").click()
    page.locator("#differences").focus()
    page.keyboard.press("?")
    found["the keys"] = complaints(page)
    page.keyboard.press("Escape")
    page.locator("[name=preference][value=left]").focus()
    rate_by_keyboard(page)
    page.keyboard.press("Control+z")
    expect(page.locator("#prompt-title")).to_have_text("Edit your rating")
    found["changing a rating"] = complaints(page)
    page.goto(f"/review/{campaign.pk}/mine/")
    found["own ratings"] = complaints(page)
    return found | the_last_pages(page, campaign)


def the_last_pages(page: Page, campaign: Campaign) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    Reviewer.objects.update(status=Reviewer.Status.COMPLETED)
    page.goto(f"/review/{campaign.pk}/done/")
    found["the last page"] = complaints(page)
    Rating.objects.all().delete()
    Campaign.objects.update(practice_pass=1)
    Reviewer.objects.update(practice=[{"preference": "right", "right": False}])
    page.reload()
    expect(page.locator("main")).to_contain_text("at least 1 of its 1 answers must be right")
    found["not qualified"] = complaints(page)
    campaigns.close(campaign=campaign, user=campaign.created_by, reason="done")
    page.goto(f"/review/{campaign.pk}/")
    found["closed"] = complaints(page)
    page.goto("/r/no-such-link/")
    found["no such link"] = complaints(page)
    page.goto(f"/review/{campaign.pk}/mine/")
    page.get_by_text("Erase my personal data").click()
    page.get_by_role("button", name="Erase permanently").click()
    expect(page.locator("h1")).to_have_text("Erased")
    found["erased"] = complaints(page)
    page.context.clear_cookies()
    page.goto(f"/review/{campaign.pk}/mine/")
    found["a stranger"] = complaints(page)
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing_on_a_reviewers_whole_path(browser, live_server, width, scheme):
    campaign = factories.campaign(
        factories.user("manager"),
        pairs=3,
        overlap=1,
        consent="Your answers are used for research.",
        content_warning="Some texts are rude.",
        practice=PRACTICE,
        edit_minutes=None,
    )
    page = opened(browser, live_server.url, width, scheme)
    found = the_whole_path(page, campaign)
    page.context.close()
    assert len(found) == 15 and {name: said for name, said in found.items() if said} == {}


def test_axe_would_tell(browser, live_server):
    page = opened(browser, live_server.url, 1280, "light")
    page.set_content(
        '<html lang="en"><title>x</title><main><img src="x"><p style="color:#ccc">pale</p></main>'
    )
    assert {line.split(":")[0] for line in complaints(page)} >= {"image-alt", "color-contrast"}
    page.context.close()
