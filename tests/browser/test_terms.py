"""Terms of a report are explained on hover, on keyboard focus and on a tap, inside the screen."""

import pytest
from django.conf import settings
from playwright.sync_api import Page, expect

from evaluation.report.services import reports
from evaluation.review.services import campaigns
from tests import factories
from tests.browser.test_accessibility import complaints, opened

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def report(browser, live_server, client):
    """Opens the page of a report at a width."""
    owner = factories.user()
    client.force_login(owner)
    campaign = factories.rated_campaign()
    campaigns.close(campaign=campaign, user=owner, reason="")
    reports.take_look(campaign=campaign, user=owner)
    cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
    pages: list[Page] = []

    def at(width: int) -> Page:
        page = opened(browser, live_server.url, width, "light")
        page.context.add_cookies(
            [{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url}]
        )
        page.goto(f"/campaigns/{campaign.pk}/report/")
        pages.append(page)
        return page

    yield at
    for page in pages:
        page.context.close()


def test_hover_focus_and_click_open_the_explanation_and_leaving_closes_it(report):
    page = report(1280)
    term = page.get_by_role("button", name="Net win rate")
    shown = page.locator(".explanation:popover-open")
    term.hover()
    expect(shown).to_contain_text("Share of wins minus share of losses")
    page.mouse.move(1, 1)
    expect(shown).to_have_count(0)
    term.focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    expect(shown).to_contain_text("Net win rate")
    page.keyboard.press("Escape")
    expect(shown).to_have_count(0)
    term.click()
    expect(shown).to_have_count(1)
    assert complaints(page) == []
    page.emulate_media(media="print")
    expect(shown).to_be_hidden()


def test_on_a_phone_every_explanation_is_inside_the_screen(report):
    page = report(390)
    terms = page.locator(".term:visible")
    assert terms.count() > 10
    for term in terms.all():
        term.scroll_into_view_if_needed()
        term.click()
        box = page.locator(".explanation:popover-open").bounding_box()
        assert box is not None and box["x"] >= 8 and box["x"] + box["width"] <= 382
        assert box["y"] >= 0 and box["y"] + box["height"] <= 900
        page.keyboard.press("Escape")
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
