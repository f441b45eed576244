"""The whole loop as people go through it, on the embedded site with its real workers: an admin launches a run and
watches its curve move, two reviewers rate, a manager reads the report."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from tests.embedded.site import Site
from worker.demo.stages import BASE_FOLDER
from worker.ml.demo import cases

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ROWS, HELD_OUT_PERCENT = 160, 2.5
LONG = 600_000


class Visitor:
    """A person with a browser window of their own; complaints of the browser are kept and must stay empty."""

    def __init__(self, browser: Browser, site: Site) -> None:
        self.root = f"http://127.0.0.1:{site.port}"
        self.page: Page = browser.new_context(base_url=self.root).new_page()
        self.complaints: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._listen)
        self.page.on("dialog", lambda dialog: dialog.accept())
        # A machine that is busy with other work is slow, not wrong.
        self.page.set_default_timeout(120_000)
        expect.set_options(timeout=120_000)

    def _listen(self, line: ConsoleMessage) -> None:
        # Leaving a page that asks again and again cuts one of its questions short.
        left = line.text.startswith(("htmx:sendAbort", "htmx:afterRequest"))
        if line.type == "error" and not left:
            self.complaints.append(line.text)

    def sign_in(self, email: str, password: str) -> None:
        self.page.goto("/accounts/login/")
        self.page.fill("[name=login]", email)
        self.page.fill("[name=password]", password)
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.get_by_role("heading", level=1)).to_be_visible()

    def submit(self) -> None:
        self.page.locator("main form button.primary").click()

    def choose(self, name: str, label: str) -> None:
        option = self.page.locator(f"[name={name}] option", has_text=label).first
        self.page.select_option(f"[name={name}]", value=option.get_attribute("value"))


def first_admin(browser: Browser, site: Site) -> Visitor:
    """The admin whose log-in the site printed at its first start, signed in."""
    found = re.search(r"Sign in as (\S+) with the password (\S+)", site.said())
    assert found, site.said()
    admin = Visitor(browser, site)
    admin.sign_in(found[1], found[2])
    return admin


def upload_and_register(admin: Visitor, folder: Path) -> None:
    file = folder / "cases.jsonl"
    file.write_text("".join(json.dumps(case) + "\n" for case in cases.generate_cases(ROWS)))
    admin.page.goto("/training/datasets/new/")
    admin.page.fill("[name=name]", "cases")
    admin.page.set_input_files("[name=file]", file)
    admin.submit()
    admin.page.fill("[name=validation_percent]", str(HELD_OUT_PERCENT))
    admin.page.fill("[name=test_percent]", "0")
    admin.submit()
    expect(admin.page.get_by_role("heading", level=1)).to_contain_text("cases v1")
    admin.page.goto("/training/models/new/")
    admin.page.fill("[name=name]", "tiny")
    admin.page.fill("[name=path]", str(BASE_FOLDER))
    admin.page.get_by_role("button", name="Check and register").click()
    expect(admin.page.get_by_role("heading", level=1)).to_contain_text("tiny")


def launch_and_watch(admin: Visitor) -> None:
    admin.page.goto("/training/runs/new/")
    admin.page.fill("[name=name]", "first")
    admin.choose("dataset", "cases")
    admin.choose("base_model", "tiny")
    for advanced in admin.page.locator("main form details").all():
        advanced.evaluate("element => { element.open = true }")
    admin.page.fill("[name=batch_size]", "4")
    admin.page.fill("[name=max_length]", "512")
    # Longer than the six seconds after which the page asks for the curve again.
    admin.page.fill("[name=epochs]", "4")
    admin.submit()
    curve = admin.page.locator("figure.chart [role=img]").first
    expect(curve).to_have_attribute("aria-label", re.compile("Loss over steps"), timeout=LONG)
    before = curve.get_attribute("aria-label") or ""
    # The page was not loaded again: htmx brought the next points.
    expect(curve).not_to_have_attribute("aria-label", before, timeout=LONG)
    expect(admin.page.get_by_role("link", name="Compare with base")).to_be_visible(timeout=LONG)


def compare(admin: Visitor, dataset: str, tokens: int) -> None:
    admin.page.goto("/prompt-sets/new/")
    admin.page.fill("[name=name]", f"{dataset}, held out")
    admin.choose("dataset", dataset)
    admin.submit()
    expect(admin.page.locator("main")).to_contain_text(f"{dataset}, held out")
    admin.page.goto("/comparisons/new/")
    admin.page.fill("[name=name]", f"{dataset}, base against tuned")
    admin.choose("prompt_set", f"{dataset}, held out")
    admin.page.locator("[name=candidates]").first.check()
    admin.page.fill("[name=max_new_tokens]", str(tokens))
    admin.submit()
    expect(admin.page.locator("main")).to_contain_text("Succeeded", timeout=LONG)


def plan_and_open(admin: Visitor, dataset: str, title: str) -> str:
    admin.page.goto("/campaigns/new/")
    admin.page.fill("[name=title]", title)
    admin.choose("comparison", f"{dataset}, base against tuned")
    admin.page.fill("[name=pairs]", "2")
    admin.page.fill("[name=overlap]", "2")
    admin.submit()
    admin.page.get_by_role("button", name="Open campaign").click()
    expect(admin.page.locator("main")).to_contain_text("0 of 4 ratings")
    link = re.search(r"http://\S+/r/\S+/", admin.page.locator("main").inner_text())
    assert link
    return link[0]


def make_manager(admin: Visitor) -> tuple[str, str]:
    admin.page.goto("/settings/users/")
    admin.page.fill("[name=email]", "manager@example.org")
    admin.page.fill("[name=name]", "Manager")
    admin.page.select_option("[name=role]", "manager")
    admin.submit()
    password = admin.page.locator("#password").inner_text().strip()
    return "manager@example.org", password


def rate_everything(reviewer: Visitor, link: str) -> None:
    """Every pair with the keyboard's help: preference by key, points by clicking, submit by key."""
    page = reviewer.page
    page.goto(link)
    page.get_by_role("button", name="Start reviewing").click()
    for number in (1, 2):
        expect(page.locator("#prompt-title")).to_have_text(f"Pair {number}")
        page.keyboard.press("1")
        expect(page.locator("[name=preference][value=left]")).to_be_checked()
        for group in {
            radio.get_attribute("name") for radio in page.locator("#questions input[type=radio]").all()
        }:
            answer = page.locator(f'#questions input[name="{group}"]:is([value="7"], [value="true"])')
            answer.check(force=True)
        page.keyboard.press("Control+Enter")
    expect(page).to_have_url(re.compile("/done/"))
    expect(page.locator("main")).to_contain_text("2")


def test_from_a_file_to_a_verdict(site, browser, tmp_path):
    admin = first_admin(browser, site)
    upload_and_register(admin, tmp_path)
    launch_and_watch(admin)
    compare(admin, "cases", 48)
    expect(admin.page.locator("main")).to_contain_text("decision")
    link = plan_and_open(admin, "cases", "Which reply is better?")
    email, password = make_manager(admin)

    reviewers = [Visitor(browser, site), Visitor(browser, site)]
    for reviewer in reviewers:
        rate_everything(reviewer, link)

    manager = Visitor(browser, site)
    manager.sign_in(email, password)
    manager.page.goto("/campaigns/")
    manager.page.get_by_role("link", name="Which reply is better?").click()
    expect(manager.page.locator("main")).to_contain_text("4 of 4")
    manager.page.get_by_role("button", name="Run the planned analysis").click()
    expect(manager.page.get_by_role("heading", level=1)).to_have_text("Report")
    expect(manager.page.locator(".verdict .sentence")).to_contain_text(re.compile("reviewers", re.I))
    assert "simulated" not in manager.page.locator(".verdict").inner_text().lower()
    with manager.page.expect_download() as download:
        manager.page.get_by_role("link", name="JSON", exact=True).click()
    report = json.loads(Path(download.value.path()).read_text())
    assert report["primary"]["n_ratings"] == 4 and report["primary"]["n_reviewers"] == 2
    sentence = manager.page.locator(".verdict .sentence").inner_text()
    # The page keeps a number and its unit on one line.
    assert report["sentence"] == sentence.strip().replace("\xa0", " ")

    assert [visitor.complaints for visitor in (admin, manager, *reviewers)] == [[], [], [], []]
