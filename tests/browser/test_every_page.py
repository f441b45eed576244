"""Every page that an admin can reach by links answers, fits a phone, and gives axe nothing to say."""

import re
from collections import deque

import pytest
from django.conf import settings
from playwright.sync_api import Page, Route

from evaluation.report.services import reports
from evaluation.review.services import campaigns, invitations
from tests import factories
from tests.browser.test_accessibility import complaints, opened
from training.models import StepMetric

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

ELSEWHERE = re.compile(r"/(logout|static)/")
KEY = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d+")
# What is saved rather than read.
FILE = re.compile(r"^/api/|\.\w+(\?.*)?$")


@pytest.fixture
def site(client):
    """One of everything: data, a run under way, a comparison, an open campaign and one with a report."""
    owner = factories.user()
    client.force_login(owner)
    factories.external_model(owner)
    factories.campaign(owner)
    done = factories.rated_campaign()
    campaigns.close(campaign=done, user=owner, reason="")
    reports.take_look(campaign=done, user=owner)
    run = factories.training_run(owner, dataset=factories.dataset(owner))
    for step in range(1, 6):
        StepMetric.objects.create(run=run, split="train", step=step, loss=3.0 / step)


def faults(page: Page, address: str) -> list[str]:
    answer = page.goto(address)
    assert answer is not None
    if not answer.ok:
        return [f"status {answer.status}"]
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return [*([f"{wide} px too wide"] if wide > 0 else []), *complaints(page)]


def links(page: Page) -> list[str]:
    found: list[str] = page.eval_on_selector_all(
        "a[href^='/']", "all => all.map(one => one.pathname + one.search)"
    )
    return found


def test_every_page_answers_fits_and_can_be_read_aloud(browser, live_server, client, site):
    phone = opened(browser, live_server.url, 390, "light")
    desk = opened(browser, live_server.url, 1280, "dark")
    cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
    for page in (phone, desk):
        page.set_default_timeout(120_000)
        page.context.add_cookies(
            [{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url}]
        )
    # Pages of the same kind are alike, so one of each is looked at.
    seen: dict[str, list[str]] = {}
    files: dict[str, int] = {}
    ahead = deque(["/"])
    while ahead:
        address = ahead.popleft()
        kind = KEY.sub("N", address.partition("#")[0])
        if kind in seen or kind in files or ELSEWHERE.search(address):
            continue
        if FILE.search(address):
            files[kind] = phone.request.get(address).status
            continue
        seen[kind] = [*faults(phone, address), *faults(desk, address)]
        ahead.extend(links(phone))
    for page in (phone, desk):
        page.context.close()
    assert {kind: found for kind, found in seen.items() if found} == {}
    assert {kind: status for kind, status in files.items() if status != 200} == {}
    assert len(seen) > 40 and len(files) > 20


def test_a_second_click_on_what_is_under_way_does_nothing(browser, live_server, client):
    owner = factories.user()
    client.force_login(owner)
    campaign = factories.campaign(owner)
    page = opened(browser, live_server.url, 1280, "light")
    cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
    page.context.add_cookies(
        [{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url}]
    )
    page.goto(f"/campaigns/{campaign.pk}/people/")
    sent: list[str] = []

    def nothing_new(route: Route) -> None:
        sent.append(route.request.url)
        route.fulfill(status=204)  # the page stays, as while an answer is awaited

    page.route("**/link/", nothing_new)
    for _ in range(2):
        page.get_by_role("button", name="Create link", exact=True).click()
        page.wait_for_timeout(100)
    assert len(sent) == 1
    page.context.close()


def test_every_button_for_reviewers_is_within_a_phone(browser, live_server, client):
    owner = factories.user()
    client.force_login(owner)
    campaign = factories.campaign(owner)
    factories.reviewer(campaign)
    invitations.invite_people(
        campaign=campaign, user=owner, addresses=["a.person.with.a.long.name@example.org"]
    )
    page = opened(browser, live_server.url, 390, "light")
    cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
    page.context.add_cookies(
        [{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url}]
    )
    page.goto(f"/campaigns/{campaign.pk}/people/")
    beyond = (
        "all => all.filter(one => one.getBoundingClientRect().right > innerWidth).map(one => one.textContent)"
    )
    assert page.locator("main button").count() > 5
    assert page.eval_on_selector_all("main button", beyond) == []
    page.context.close()
