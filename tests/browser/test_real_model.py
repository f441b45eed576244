"""The whole loop with a real instruct model and files in common formats: a table of texts with their classes, and
conversations of several turns."""

import csv
import json
import random
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.test_loop import LONG, Visitor, compare, first_admin, plan_and_open, rate_everything
from tests.embedded.site import Site

pytestmark = [pytest.mark.browser, pytest.mark.bench]

ROWS, INTENTS = 40, 4
ORDERS = ("a lamp", "two chairs", "a red bicycle", "the blue kettle", "a garden hose", "three books")
PLACES = ("Cologne", "Bern", "Graz", "Lyon", "Turin", "Ghent")


@pytest.fixture(scope="module")
def admin(site, browser, smollm):
    admin = first_admin(browser, site)
    admin.page.goto("/training/models/new/")
    admin.page.fill("[name=name]", "smollm2")
    admin.page.fill("[name=path]", str(smollm))
    admin.page.get_by_role("button", name="Check and register").click()
    expect(admin.page.get_by_role("heading", level=1)).to_contain_text("smollm2")
    return admin


def classes_file(folder: Path, shared_data: Path) -> Path:
    """Customers' questions with their intents, as a CSV with the columns `text` and `category`."""
    with (shared_data / "banking77" / "train.csv").open(newline="") as source:
        rows = list(csv.DictReader(source))
    intents = sorted({row["category"] for row in rows})[:INTENTS]
    file = folder / "banking.csv"
    with file.open("w", newline="") as target:
        table = csv.DictWriter(target, ["text", "category"])
        table.writeheader()
        for intent in intents:
            table.writerows([row for row in rows if row["category"] == intent][: ROWS // INTENTS])
    return file


def conversations_file(folder: Path) -> Path:
    """Conversations of six turns in OpenAI's form."""
    draw, lines = random.Random(7), []
    for number in range(ROWS):
        order, place = draw.choice(ORDERS), draw.choice(PLACES)
        turns = (
            ("system", "You help customers of a parcel service. Answer in one sentence."),
            ("user", f"I am still waiting for {order}. My number is {4000 + number}."),
            ("assistant", f"I am sorry about parcel {4000 + number}. Where shall it go?"),
            ("user", f"To {place}."),
            ("assistant", f"Thank you, I have found it on its way to {place}."),
            ("user", f"When does {order} arrive?"),
            ("assistant", f"I am sorry for the wait: {order} arrives in {place} tomorrow."),
        )
        lines.append(json.dumps({"messages": [{"role": role, "content": text} for role, text in turns]}))
    file = folder / "chats.jsonl"
    file.write_text("\n".join(lines))
    return file


def upload(admin: Visitor, file: Path, instruction: str = "") -> None:
    admin.page.goto("/training/datasets/new/")
    admin.page.fill("[name=name]", file.stem)
    admin.page.set_input_files("[name=file]", file)
    admin.submit()
    if instruction:
        admin.page.fill("[name=instruction]", instruction)
    admin.page.fill("[name=validation_percent]", "8")
    admin.page.fill("[name=test_percent]", "0")
    admin.submit()
    expect(admin.page.get_by_role("heading", level=1)).to_contain_text(f"{file.stem} v1")


def train(admin: Visitor, dataset: str) -> None:
    page = admin.page
    page.goto("/training/runs/new/")
    page.fill("[name=name]", f"{dataset} run")
    admin.choose("dataset", dataset)
    admin.choose("base_model", "smollm2")
    for advanced in page.locator("main form details").all():
        advanced.evaluate("element => { element.open = true }")
    for name, value in {
        "batch_size": "4",
        "max_length": "256",
        "epochs": "1",
        "learning_rate": "0.001",
        "sample_prompts": "1",
    }.items():
        page.fill(f"[name={name}]", value)
    admin.submit()
    expect(page.get_by_role("link", name="Compare with base")).to_be_visible(timeout=LONG)


def review_and_report(browser, site: Site, admin: Visitor, dataset: str) -> dict[str, Any]:
    """The report's JSON, after two people have rated two pairs each."""
    link = plan_and_open(admin, dataset, f"Which answer of {dataset}?")
    reviewers = [Visitor(browser, site), Visitor(browser, site)]
    for reviewer in reviewers:
        rate_everything(reviewer, link)
    admin.page.goto("/campaigns/")
    admin.page.get_by_role("link", name=f"Which answer of {dataset}?").click()
    admin.page.get_by_role("button", name="Run the planned analysis").click()
    expect(admin.page.get_by_role("heading", level=1)).to_have_text("Report")
    with admin.page.expect_download() as download:
        admin.page.get_by_role("link", name="JSON", exact=True).click()
    assert [visitor.complaints for visitor in (admin, *reviewers)] == [[], [], []]
    report: dict[str, Any] = json.loads(Path(download.value.path()).read_text())
    return report


def test_classes_from_a_table(site, browser, admin, tmp_path, shared_data):
    file = classes_file(tmp_path, shared_data)

    upload(admin, file, "Name the intent of the customer's question.")
    train(admin, "banking")
    compare(admin, "banking", 12)
    report = review_and_report(browser, site, admin, "banking")

    assert report["primary"]["n_ratings"] == 4 and report["primary"]["n_prompts"] == 2


def test_conversations(site, browser, admin, tmp_path):
    file = conversations_file(tmp_path)

    upload(admin, file)
    train(admin, "chats")
    compare(admin, "chats", 24)
    report = review_and_report(browser, site, admin, "chats")

    assert report["primary"]["n_ratings"] == 4 and report["primary"]["n_prompts"] == 2
