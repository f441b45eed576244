"""A phone on a train: the line to the server is really cut, tabs are closed, the page is opened without a network."""

import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from evaluation.models import Campaign, Rating
from tests import factories, services

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


class Line:
    """Carries bytes between a browser and the server until it is cut; what was connected then is lost."""

    def __init__(self, server: str) -> None:
        parts = urlsplit(server)
        self._server = (parts.hostname or "localhost", parts.port or 80)
        self._open: set[socket.socket] = set()
        # Nobody may get this port while the line is cut, so it is none that the system hands out.
        self._port = services.free_port()
        self.address = f"http://localhost:{self._port}"
        self._listening = socket.create_server(("localhost", self._port))
        self.mend()

    def mend(self) -> None:
        self._whole = True
        if self._listening.fileno() < 0:
            self._listening = socket.create_server(("localhost", self._port))
        threading.Thread(target=self._accept, args=(self._listening,), daemon=True).start()

    def cut(self) -> None:
        if not self._whole:
            return
        self._whole = False
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for one in list(self._open):
            one.close()

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                client, _ = listening.accept()
                server = socket.create_connection(self._server)
            except OSError:
                return
            for source, target in ((client, server), (server, client)):
                self._open.add(source)
                threading.Thread(target=self._carry, args=(source, target), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while self._whole and (data := source.recv(65536)):
                target.sendall(data)
        except OSError:
            pass
        finally:
            for one in (source, target):
                self._open.discard(one)
                one.close()


@pytest.fixture
def line(live_server) -> Iterator[Line]:
    made = Line(live_server.url)
    yield made
    made.cut()


@pytest.fixture
def campaign() -> Campaign:
    return factories.campaign(factories.user("manager"), pairs=3, overlap=1)


@pytest.fixture
def context(browser, line, campaign) -> Iterator[BrowserContext]:
    made = browser.new_context(base_url=line.address, viewport={"width": 390, "height": 844})
    made.set_default_timeout(60_000)
    yield made
    made.close()


def joined(context: BrowserContext, campaign: Campaign) -> Page:
    page = context.new_page()
    page.goto(f"/r/{campaign.invites.get().code}/")
    page.get_by_role("button", name="Start reviewing").press("Enter")
    expect(page.locator("#prompt-title")).to_have_text("Pair 1")
    return page


def rate(page: Page) -> None:
    page.keyboard.press("1")
    for digit in "758690":
        page.keyboard.press("Tab")
        page.keyboard.press(digit)
    page.keyboard.press("Control+Enter")


def stored(count: int) -> None:
    services.wait_until(lambda: Rating.objects.count() == count, what=f"{count} ratings")


def test_a_rating_unsent_when_the_tab_was_closed_arrives_once_when_the_review_is_opened_later(
    context, line, campaign
):
    page = joined(context, campaign)
    page.wait_for_load_state("networkidle")
    line.cut()
    rate(page)
    expect(page.locator("#unsent")).to_contain_text("One rating")
    page.close()
    assert not Rating.objects.exists()
    line.mend()
    later = context.new_page()
    sent: list[str] = []
    later.on("requestfinished", lambda request: sent.append(f"{request.method} {request.url}"))
    later.goto(f"/review/{campaign.pk}/")
    expect(later.locator("#prompt-title")).to_have_text("Pair 2")
    stored(1)
    later.reload()
    expect(later.locator("#prompt-title")).to_have_text("Pair 2")
    later.wait_for_load_state("networkidle")
    assert len([one for one in sent if one.startswith("PUT") and "/rating?" in one]) == 1
    assert Rating.objects.get().preference == "left"


def test_the_screen_opens_without_a_network_and_goes_on_when_it_is_back(context, line, campaign):
    page = joined(context, campaign)
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    worker = "navigator.serviceWorker.controller !== null"
    services.wait_until(lambda: page.evaluate(worker), seconds=120, what="the service worker")
    page.reload()  # a page is kept when it is opened under the worker's eyes
    expect(page.locator("#prompt-title")).to_have_text("Pair 1")
    page.wait_for_load_state("networkidle")
    kept = "caches.match(location.href, { ignoreVary: true }).then(Boolean)"
    services.wait_until(lambda: page.evaluate(kept), seconds=120, what="the page in the cache")
    line.cut()
    page.close()
    again = context.new_page()
    again.goto(f"/review/{campaign.pk}/")
    expect(again.locator("#panel")).to_contain_text("No connection")
    line.mend()
    again.get_by_role("button", name="Try now").click()
    expect(again.locator("#prompt-title")).to_have_text("Pair 1")
    rate(again)
    stored(1)


def test_without_the_worker_nothing_opens_without_a_network(browser, line, campaign):
    """The negative control: the same walk in a browser that may not have service workers."""
    context = browser.new_context(base_url=line.address, service_workers="block")
    page = joined(context, campaign)
    page.reload()
    expect(page.locator("#prompt-title")).to_have_text("Pair 1")
    line.cut()
    again = context.new_page()
    with pytest.raises(Exception, match=r"ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET"):
        again.goto(f"/review/{campaign.pk}/")
    context.close()


def test_a_phone_may_install_the_screen(context, campaign):
    page = joined(context, campaign)
    session = context.new_cdp_session(page)
    found = session.send("Page.getAppManifest")
    assert found["errors"] == [] and found["url"].endswith("manifest.webmanifest")
    manifest = page.evaluate(
        "fetch(document.querySelector('link[rel=manifest]').href).then((all) => all.json())"
    )
    assert manifest["display"] == "standalone" and manifest["start_url"].startswith(manifest["scope"])
    sizes = page.evaluate(
        """(icons) => Promise.all(icons.map(async ({ src }) => {
            const image = new Image();
            image.src = src;
            await image.decode();
            return `${image.naturalWidth}x${image.naturalHeight}`;
        }))""",
        manifest["icons"],
    )
    assert sizes == [icon["sizes"] for icon in manifest["icons"]] == ["192x192", "512x512"]


KEPT = """async () => {
  const kept = [];
  for (const name of await caches.keys()) {
    const cache = await caches.open(name);
    for (const request of await cache.keys()) {
      kept.push([new URL(request.url).pathname, await (await cache.match(request)).text()]);
    }
  }
  return kept;
}"""


def pairs_among(kept: list[list[str]]) -> list[str]:
    """Which kept answers came from the API or hold a response; those of these comparisons say `"urgent"`."""
    return [path for path, text in kept if path.startswith("/api/") or "urgent" in text]


def test_a_device_keeps_the_shell_of_the_screen_and_no_pair(context, campaign):
    page = joined(context, campaign)
    page.evaluate("navigator.serviceWorker.ready")
    rate(page)
    stored(1)
    page.reload()  # now through the worker
    expect(page.locator("#text-left")).to_contain_text("urgent")
    screen = f"/review/{campaign.pk}/"
    services.wait_until(
        lambda: screen in [path for path, _ in page.evaluate(KEPT)], what="the screen to be kept"
    )
    assert pairs_among(page.evaluate(KEPT)) == []
    asked = f"/api/v1/campaigns/{campaign.pk}/assignments/next"
    page.evaluate("async (asked) => (await caches.open('x')).put(asked, new Response('urgent'))", asked)
    assert pairs_among(page.evaluate(KEPT)) == [asked]
