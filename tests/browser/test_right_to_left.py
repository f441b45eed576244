"""Texts that run from right to left stand so, beside others that do not, whatever language the page speaks."""

import pytest
from playwright.sync_api import expect

from evaluation.models import Response
from tests import factories

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

ARABIC = "مرحبًا، طردك مع DHL وسيصل غدًا."
ENGLISH = "Hello, your parcel is with DHL and arrives tomorrow."
# Where a text begins, as a share of its box from the left: 1 is its right edge.
BEGINS = """(box) => {
  const walker = document.createTreeWalker(box, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  range.setStart(walker.nextNode(), 0);
  range.setEnd(range.startContainer, 1);
  const [first, whole] = [range.getBoundingClientRect(), box.getBoundingClientRect()];
  return ((first.left + first.right) / 2 - whole.left) / whole.width;
}"""


@pytest.mark.parametrize("language", ["en", "de"])
def test_each_response_runs_in_its_own_direction(browser, live_server, language):
    campaign = factories.campaign(factories.user("manager"), pairs=1, overlap=1, language=language)
    Response.objects.filter(model=campaign.comparison.baseline).update(text=ARABIC)
    Response.objects.filter(model=campaign.candidate).update(text=ENGLISH)
    context = browser.new_context(base_url=live_server.url, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(f"/r/{campaign.invites.get().code}/")
    page.locator("main form button").press("Enter")
    expect(page.locator("#prompt-title")).to_be_focused()
    boxes = {
        page.locator(f"#text-{side}").inner_text().strip(): f"#text-{side}" for side in ("left", "right")
    }
    assert set(boxes) == {ARABIC, ENGLISH}
    for text, direction, begins in ((ARABIC, "rtl", 1), (ENGLISH, "ltr", 0)):
        box = page.locator(boxes[text])
        expect(box).to_have_css("direction", direction)
        assert abs(box.evaluate(BEGINS) - begins) < 0.1
    page.locator("#comment").fill("שלום")
    expect(page.locator("#comment")).to_have_css("direction", "rtl")
    expect(page.locator("html")).to_have_css("direction", "ltr")
    context.close()
