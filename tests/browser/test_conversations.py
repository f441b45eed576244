"""Conversations on the review screen: the question in sight, what came before it a key away, every text as text."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from evaluation.models import Campaign, Prompt, Rating
from tests import factories, services
from tests.browser.test_accessibility import complaints, rate_by_keyboard

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

TOOL = "find_order_by_number_with_status_and_carrier_of_the_last_parcel"  # wider than a phone
SCRIPT = "<script>document.title = 'taken over'</script>"
CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": TOOL, "arguments": '{"order_id": "A-17", "with": ["status", "carrier"]}'},
}
MESSAGES: list[dict[str, Any]] = [
    {"role": "system", "content": "You answer customers of a furniture shop. Be brief and friendly. " * 4},
    {"role": "user", "content": f"Hi, I ordered a lamp last week. {SCRIPT}"},
    {"role": "assistant", "content": "Could you give me the order number?"},
    {"role": "user", "content": "It is A-17."},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {
        "role": "tool",
        "tool_call_id": "call_1",
        "name": TOOL,
        "content": '{"status":"lost","since":"Monday"}',
    },
    {"role": "assistant", "content": "I am sorry, the parcel seems to be lost."},
    {"role": "user", "content": "Then send me another one, please. I need it by Friday, it is a present."},
]
QUESTION = MESSAGES[-1]["content"]
TOOLS = [{"type": "function", "function": {"name": TOOL, "parameters": {"type": "object"}}}]


@pytest.fixture
def campaign(request) -> Campaign:
    made = factories.campaign(
        factories.user("manager"), pairs=2, overlap=1, language=getattr(request, "param", "en")
    )
    Prompt.objects.update(instruction="", input="", messages=MESSAGES, tools=TOOLS)
    return made


@pytest.fixture
def page(browser, live_server, campaign):
    context = browser.new_context(base_url=live_server.url, viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    opened.goto(f"/r/{campaign.invites.get().code}/")
    opened.locator("main form button").press("Enter")
    expect(opened.locator("#prompt-title")).to_be_focused()
    yield opened
    context.close()


def overflow(page: Page) -> int:
    width: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return width


@pytest.mark.parametrize("size", [(1280, 900), (390, 844)])
def test_the_last_question_is_in_sight_and_earlier_turns_unfold_by_key(page, size):
    page.set_viewport_size({"width": size[0], "height": size[1]})
    question, history = page.locator(".conversation > .turns .turn"), page.locator("#history")
    expect(question).to_have_count(1)
    expect(question).to_contain_text(QUESTION)
    expect(question).to_be_in_viewport(ratio=1)
    expect(history.locator("summary").first).to_contain_text("7 earlier turns")
    expect(history.locator(".turn").first).to_be_hidden()
    assert overflow(page) == 0

    page.keyboard.press("h")
    expect(history.locator("summary").first).to_be_focused()
    expect(history.locator(".turn")).to_have_count(7)
    expect(history.locator(".speaker > strong")).to_have_text(
        ["System", "User", "Assistant", "User", "Assistant", "Tool", "Assistant"]
    )
    expect(history.locator(".turn").nth(1)).to_contain_text(SCRIPT)
    expect(history.locator(".turn").nth(5)).to_contain_text('{\n  "status": "lost",\n  "since": "Monday"\n}')
    assert page.locator("#input script").count() == 0 and page.title() != "taken over"
    assert overflow(page) == 0 and complaints(page) == []
    page.keyboard.press("h")
    expect(history.locator(".turn").first).to_be_hidden()


def test_a_tool_call_shows_its_indented_arguments_and_folds(page):
    expect(page.locator(".conversation > p")).to_have_text(f"Tools the assistant can call: {TOOL}")
    page.keyboard.press("h")
    call = page.locator("details.call")
    expect(call.locator("summary")).to_have_text(f"Tool call {TOOL}")
    arguments = '{\n  "order_id": "A-17",\n  "with": [\n    "status",\n    "carrier"\n  ]\n}'
    assert call.locator("pre").text_content() == arguments
    call.locator("summary").press("Enter")
    expect(call.locator("pre")).to_be_hidden()


def test_a_conversation_is_rated_by_keyboard_while_its_turns_are_open(page):
    page.keyboard.press("h")
    rate_by_keyboard(page)
    expect(page.locator("#history .turn").first).to_be_hidden()  # each pair begins at its question
    services.wait_until(lambda: Rating.objects.exists(), what="the rating")
    assert Rating.objects.get().preference == "left"


def test_a_short_conversation_is_open_and_the_short_form_has_no_turns(page):
    Prompt.objects.update(messages=MESSAGES[1:4], tools=[])
    page.reload()
    expect(page.locator("#history > summary")).to_contain_text("2 earlier turns")
    expect(page.locator("#history .turn").first).to_be_visible()
    Prompt.objects.update(messages=[], instruction="Answer the customer.", input="Where is my lamp?")
    page.reload()
    expect(page.locator("#input")).to_have_text("Where is my lamp?")
    expect(page.locator("#instruction-text")).to_have_text("Answer the customer.")
    expect(page.locator(".turn, #history")).to_have_count(0)
    page.keyboard.press("h")
    expect(page.locator("#prompt-title")).to_be_focused()


@pytest.mark.parametrize("campaign", ["de"], indirect=True)
def test_who_speaks_is_named_in_the_language_of_the_reviewer(page):
    expect(page.locator(".conversation > .turns .speaker > strong")).to_have_text("Nutzer")
    expect(page.locator("#history > summary")).to_contain_text("7 frühere Beiträge")
