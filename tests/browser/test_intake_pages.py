"""The pages that only an upload leads to: each fits a phone and a desk, and gives axe nothing to say."""

import io
import os
from pathlib import Path

import pytest
from django.conf import settings
from django.urls import reverse

from tests import factories
from tests.browser.test_accessibility import opened
from tests.browser.test_every_page import faults
from training.intake.column_mapping import ColumnMapping
from training.intake.services import datasets, saved_mappings, uploads

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def turn(role, content, **more):
    return {"role": role, "content": content, **more}


TURNS = [
    turn("system", "You help customers of a parcel service."),
    turn("user", "Where is my parcel? " * 80),
    turn("assistant", "", tool_calls=[{"type": "function", "function": {"name": "find"}}]),
    turn("tool", "In Cologne."),
    turn("assistant", "It is in Cologne.", weight=0),
    turn("user", "When does it arrive?"),
    turn("assistant", "Tomorrow."),
]
PAIRS = "nr;question;A;B;tag.language;a long name of a column that nobody needs at all\n0;Wo ist es?;Grüße;b;de;x\n"
MAPPINGS = {
    "dataset": ColumnMapping(input_column="question", output_column="A").to_json(),
    "pairs": {"names": {"prompt": "question"}},
}


def addresses(owner) -> list[str]:
    """A page of each kind, with everything that it can show."""

    def staged(content: bytes, name: str):
        return uploads.stage(user=owner, name="cases", file=io.BytesIO(content), source_name=name)

    for kind, mapping in MAPPINGS.items():
        saved_mappings.save(user=owner, kind=kind, name="ours", mapping=mapping)
    chats = [
        {
            "messages": [*TURNS[:5], turn("user", f"When, {n}?"), *TURNS[6:], TURNS[1]],
            "tools": [{"name": "find"}],
        }
        for n in range(30)
    ]
    rows = [{"prompt": "p", "chosen": "c", "rejected": "d"}]
    uploaded = staged(factories.jsonl(*chats).getvalue(), "chats.jsonl")
    preferences = staged(factories.jsonl(*rows).getvalue(), "a.jsonl")
    pairs = staged(PAIRS.encode("cp1252"), "a.csv")
    content = factories.jsonl(*({**chat, "group": str(n), "source": n} for n, chat in enumerate(chats)))
    made = datasets.create(user=owner, name="chats", file=content, source_name="a.jsonl")
    return [
        reverse("training:upload", args=[uploaded.pk]),
        reverse("training:upload", args=[preferences.pk]),
        reverse("training:upload", args=[pairs.pk]) + "?mapping=ours",
        reverse("evaluation:pairs_file", args=[pairs.pk]),
        reverse("evaluation:prompt_file", args=[pairs.pk]),
        reverse("training:dataset", args=[made.pk]),
    ]


def test_pages_of_uploads_answer_fit_and_can_be_read_aloud(browser, live_server, client):
    owner = factories.user()
    client.force_login(owner)
    cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
    found = {}
    for number, address in enumerate(addresses(owner)):
        for width in (390, 1280):
            page = opened(browser, live_server.url, width, "light" if width == 390 else "dark")
            page.context.add_cookies(
                [{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url}]
            )
            found[address, width] = faults(page, address)
            if shots := os.environ.get("SHOTS"):
                page.screenshot(path=Path(shots) / f"{number}-{width}.png", full_page=True)
            page.context.close()
    assert {place: wrong for place, wrong in found.items() if wrong} == {}
