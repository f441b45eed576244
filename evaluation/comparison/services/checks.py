"""The built-in safety and bias checks: ordinary prompt sets with their own pass rules."""

import json
from pathlib import Path

from evaluation.comparison.services import prompts
from evaluation.models import PromptSet
from evaluation.scoring.measures.checks import CHECKS, Check
from ftplatform.accounts.models import User

_FOLDER = Path(__file__).resolve().parent.parent / "check_prompts"


def add(*, user: User) -> list[PromptSet]:
    """Create the missing prompt sets of the built-in checks; returns all of them."""
    return [
        PromptSet.objects.filter(check_name=check, name=_name(check)).first() or _make(user, check)
        for check in CHECKS
    ]


def _name(check: Check) -> str:
    return f"Check: {check.replace('_', ' ')}"


def _make(user: User, check: Check) -> PromptSet:
    lines = (_FOLDER / f"{check}.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [{"expected": None, **json.loads(line)} for line in lines]
    return prompts.create(
        user=user,
        name=_name(check),
        rows=rows,
        source="shipped with the site",
        check_name=check,
        tag_fields=[],
    )
