"""Which files an image holds: .dockerignore and the COPY lines of the Dockerfile, as far as these two use them."""

import re
import subprocess
from pathlib import PurePosixPath

from tests.services import ROOT

STAGES = ("web", "worker")


def tracked() -> list[str]:
    """Every file that git knows, by its path."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return [path for path in listed.split("\0") if path]


def context(paths: list[str], rules: str) -> set[str]:
    """The files that reach the build: of all rules that match a path or a folder above it, the last one decides."""
    lines = [line.strip() for line in rules.splitlines()]
    patterns = [line for line in lines if line and not line.startswith("#")]
    kept = set()
    for path in paths:
        above = [str(each) for each in (PurePosixPath(path), *PurePosixPath(path).parents)][:-1]
        ignored = False
        for pattern in patterns:
            if any(_expression(pattern.lstrip("!")).fullmatch(each) for each in above):
                ignored = not pattern.startswith("!")
        if not ignored:
            kept.add(path)
    return kept


def _expression(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern.strip("/"))
    signs = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(signs.get(part, re.escape(part)) for part in parts))


def copied(stage: str, dockerfile: str, files: set[str]) -> set[str]:
    """What a stage copies from the build's files into its working folder; copies from other stages aside."""
    body = re.search(rf"^FROM \S+ AS {stage}\n(.*?)(?=^FROM |\Z)", dockerfile, re.MULTILINE | re.DOTALL)
    assert body is not None, stage
    found: set[str] = set()
    for line in re.findall(r"^COPY (?!--from)(.+)$", body[1], re.MULTILINE):
        *sources, _target = line.split()
        for source in sources:
            found |= {
                path for path in files if source == "." or path == source or path.startswith(f"{source}/")
            }
    return found
