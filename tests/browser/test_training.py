"""Training as an admin does it in a browser, on the embedded site with its real workers: upload, launch from a preset
with an estimate, pause, resume, cancel, retry, compare two runs, carry the adapter away."""

import re
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests import services
from tests.browser.test_loop import LONG, Visitor, first_admin, upload_and_register
from tests.embedded.site import Site

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def launch(admin: Visitor, name: str, **settings: str) -> None:
    """Fill the form from the toy preset, watch the estimate come, change a few settings, launch."""
    page = admin.page
    page.goto("/training/runs/new/")
    page.fill("[name=name]", name)
    admin.choose("dataset", "cases")
    admin.choose("base_model", "tiny")
    page.get_by_role("button", name="Quick test").click()
    expect(page.get_by_text("Applied.")).to_be_visible()
    expect(page.locator("[name=name]")).to_have_value(name)
    expect(page.locator("[name=lora_r]")).to_have_value("8")
    expect(page.locator("#estimate")).to_contain_text("Peak memory")
    page.locator("details.advanced").evaluate("element => { element.open = true }")
    for field, value in (
        {"max_length": "512", "learning_rate": "0.003", "sample_prompts": "1"} | settings
    ).items():
        page.fill(f"[name={field}]", value)
    admin.submit()
    expect(page.get_by_role("heading", level=1)).to_contain_text(name)


def press(admin: Visitor, button: str) -> None:
    admin.page.get_by_role("button", name=button, exact=True).click()


def newest_job(site: Site) -> str:
    """Its status, read past the site."""
    with closing(sqlite3.connect(f"file:{site.var}/ftplatform.sqlite3?mode=ro", uri=True)) as database:
        (status,) = database.execute(
            "SELECT status FROM jobs_job ORDER BY created_at DESC LIMIT 1"
        ).fetchone()
    return str(status)


def test_an_admin_trains_without_reading_code(site, browser, tmp_path):
    admin = first_admin(browser, site)
    upload_and_register(admin, tmp_path)
    page, main = admin.page, admin.page.locator("main")

    launch(admin, "long", batch_size="2", epochs="40", evaluate_every="10")
    expect(page.locator("figure.chart [role=img]").first).to_be_visible(timeout=LONG)
    press(admin, "Pause")
    expect(page.get_by_role("button", name="Resume")).to_be_visible(timeout=LONG)
    press(admin, "Resume")
    expect(main).to_contain_text("Continuing from the checkpoint", timeout=LONG)
    press(admin, "Cancel run")
    expect(page.get_by_role("link", name="Edit and launch again")).to_be_visible(timeout=LONG)
    expect(main).to_contain_text("Sample answers during training")

    page.get_by_role("link", name="Edit and launch again").click()
    expect(page.locator("[name=epochs]")).to_have_value("40.0")
    page.fill("[name=name]", "short")
    page.fill("[name=epochs]", "0.5")
    page.fill("[name=batch_size]", "8")
    admin.submit()
    run = page.url
    page.goto("about:blank")
    services.wait_until(
        lambda: newest_job(site) == "succeeded", seconds=LONG / 1000, what="a run that nobody looks at"
    )
    page.goto(run)
    expect(page.get_by_role("link", name="Open adapter")).to_be_visible()

    page.goto("/training/runs/")
    for box in page.get_by_role("checkbox").all():
        box.check()
    press(admin, "Compare selected runs")
    expect(page.get_by_role("row", name=re.compile("^Epochs "))).to_be_visible()
    expect(page.locator("figure.chart").first).to_be_visible()

    page.get_by_role("link", name="short").first.click()
    page.get_by_role("link", name="Open adapter").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download with rows").click()
    names = zipfile.ZipFile(Path(download.value.path())).namelist()
    assert any(name.endswith("dataset/train.jsonl") for name in names)
    assert any(name.endswith("reproduce.py") for name in names)
    assert admin.complaints == []
