"""Take the README's screenshots from the demo site: `.venv/bin/python docs/make_screenshots.py`.

Starts `manage.py demo` in a folder of its own (`--var`), signs in as the demo's manager, and writes the report and the
review screen to docs/pictures/. The first run trains the demo model, which takes minutes; later runs use the state that
the folder holds. Needs the extra `dev` and a Chromium.
"""

import argparse
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "pictures"
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
WIDTH = 1280
LARGEST_BYTES = 300_000
DEMO_SECONDS = 1800


@contextmanager
def demo(var: Path) -> Iterator[tuple[str, str]]:
    """Serve the demo; yields the addresses of its report and of its open invitation."""
    var.mkdir(parents=True, exist_ok=True)
    log = var / "screenshots.log"
    settings = {"VAR_DIR": str(var), "PORT": str(_free_port()), "HTTPS": "0", "STOP_WITH_PARENT": "1"}
    with log.open("wb") as out:
        site = subprocess.Popen(
            [sys.executable, "manage.py", "demo"],
            cwd=ROOT,
            env={**os.environ, **settings, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        yield _addresses(site, log)
    finally:
        site.send_signal(signal.SIGINT)
        site.wait(120)


def _addresses(site: subprocess.Popen[bytes], log: Path) -> tuple[str, str]:
    deadline = time.monotonic() + DEMO_SECONDS
    while time.monotonic() < deadline:
        output = log.read_text(encoding="utf-8")
        report = re.search(r"http://\S+/campaigns/\S+/report/", output)
        invitation = re.search(r"http://\S+/r/\S+/", output)
        if report and invitation:
            return report[0], invitation[0]
        if site.poll() is not None:
            break
        time.sleep(0.5)
    raise SystemExit(f"The demo did not serve its report; see {log}.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _page(browser: Browser, height: int) -> Page:
    """A window of its own, so that the reviewer is not signed in as the manager."""
    context = browser.new_context(
        viewport={"width": WIDTH, "height": height},
        color_scheme="light",
        locale="en-GB",
        reduced_motion="reduce",
    )
    return context.new_page()


def report(browser: Browser, address: str, var: Path) -> None:
    logins: dict[str, str] = json.loads((var / "demo" / "logins.json").read_text(encoding="utf-8"))
    email = next(email for email in logins if email.startswith("manager"))
    page = _page(browser, height=1240)
    page.goto(address)
    page.fill("[name=login]", email)
    page.fill("[name=password]", logins[email])
    page.locator("main form button").first.click()
    page.locator(".verdict").wait_for()
    page.goto(address)  # without the message about signing in
    page.locator(".verdict").wait_for()
    _shoot(page, "report.png")


def review(browser: Browser, address: str) -> None:
    page = _page(browser, height=1000)
    page.goto(address)
    if page.locator("[name=consent]").count():
        page.check("[name=consent]")
    page.locator("main form button.primary").click()
    page.locator("#responses-title").wait_for()
    page.locator("#responses-title").evaluate("heading => heading.scrollIntoView()")
    _shoot(page, "review.png")


def _shoot(page: Page, name: str) -> None:
    file = PICTURES / name
    page.screenshot(path=file)
    size = file.stat().st_size
    if size > LARGEST_BYTES:
        raise SystemExit(f"{file} has {size:,} bytes, more than {LARGEST_BYTES:,}.")
    print(f"{file.relative_to(ROOT)}: {size:,} bytes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--var",
        type=Path,
        default=Path(tempfile.gettempdir()) / "ftplatform-screenshots",
        help="folder of the demo site; its state is kept and used again (default: %(default)s)",
    )
    var = parser.parse_args().var.resolve()
    chromium = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if chromium is None:
        raise SystemExit("No Chromium was found; name one with CHROMIUM=/path/to/chromium.")
    with demo(var) as (report_address, invitation), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        report(browser, report_address, var)
        review(browser, invitation)
        browser.close()


if __name__ == "__main__":
    main()
