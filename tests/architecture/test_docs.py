"""Paths in backticks and links between pages of the documentation exist, and ADRs stay short."""

import re
from itertools import product
from pathlib import Path

from tests.services import ROOT

WITH_PATHS = (ROOT / "CONTRIBUTING.md", ROOT / "docs" / "architecture.md")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
# Created at run time, so absent from a checkout.
MADE_LATER = ("var/", ".venv/")
LONGEST_ADR = 400  # words

_FENCE = re.compile(r"^ *```.*?^ *```", re.DOTALL | re.MULTILINE)
_CODE = re.compile(r"`([^`\n]+)`")
_PATH = re.compile(r"[\w.*{},-]+(?:/[\w.*{},-]+)*/?")
_SUFFIX = re.compile(r"\.(?:py|md|toml|txt|yml|html|svg|css|js)$")
_LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)]*)?\)")


def paths(text: str) -> list[str]:
    """Paths in backticks: text that contains a slash or ends in a suffix of our files."""
    written = _CODE.findall(_FENCE.sub("", text))
    found = [code for code in written if _PATH.fullmatch(code) and ("/" in code or _SUFFIX.search(code))]
    return [path for path in found if not path.startswith(MADE_LATER)]


def exists(path: str) -> bool:
    """Whether everything that a path stands for exists: `a/{b,c}/` is two folders, `*` at least one entry."""
    return all(any(ROOT.glob(each.rstrip("/"))) for each in _alternatives(path))


def _alternatives(path: str) -> list[str]:
    parts = [part[1:-1].split(",") if part[:1] == "{" else [part] for part in re.split(r"(\{[^}]*\})", path)]
    return ["".join(each) for each in product(*parts)]


def _links(page: Path) -> list[str]:
    targets = _LINK.findall(_FENCE.sub("", page.read_text(encoding="utf-8")))
    return [target for target in targets if "://" not in target]


def test_paths_in_the_contributors_pages_exist():
    missing = {
        page.name: [p for p in paths(page.read_text(encoding="utf-8")) if not exists(p)]
        for page in WITH_PATHS
    }
    assert missing == {page.name: [] for page in WITH_PATHS}


def test_links_between_pages_lead_somewhere():
    broken = [(str(page.relative_to(ROOT)), link) for page in PAGES for link in _links(page)
              if not (page.parent / link).exists()]  # fmt: skip
    assert broken == []


def test_adrs_are_short():
    words = {
        page.name: len(page.read_text(encoding="utf-8").split()) for page in (ROOT / "docs/adr").glob("*.md")
    }
    assert words
    assert {name: count for name, count in words.items() if count > LONGEST_ADR} == {}


def test_a_wrong_path_is_found():
    fenced = "```\n`skipped/in/code.py`\n```"
    text = f"`evaluation/none.py` and `tests/{{worker,none}}/`\n{fenced}\n`var/x.py` `Job.Kind` `/api/v1/`"
    assert paths(text) == ["evaluation/none.py", "tests/{worker,none}/"]
    assert not any(map(exists, paths(text)))
    assert exists("tests/{worker,training}/") and exists("docs/adr/*.md")


def test_the_pages_hold_paths_and_links():
    """Control: an empty list would pass every test above."""
    assert len(paths(WITH_PATHS[0].read_text(encoding="utf-8"))) > 20
    assert sum(len(_links(page)) for page in PAGES) > 20
