"""Runs a report's recompute.py inside this process, which has its packages loaded already."""

import contextlib
import io
import runpy
import sys
from pathlib import Path
from unittest import mock


def recomputed(folder: Path) -> str:
    """What the script in `folder` prints about the ratings beside it; raises SystemExit where they differ."""
    said = io.StringIO()
    arguments = ["recompute.py", str(folder / "ratings.csv")]
    with mock.patch.object(sys, "argv", arguments), contextlib.redirect_stdout(said):
        runpy.run_path(str(folder / "recompute.py"))
    return said.getvalue()
