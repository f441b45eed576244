"""Parse rubrics written in Markdown into forms and check answers against them. Pure functions, no web framework."""

import json
from pathlib import Path
from typing import Any

from evaluation.rubrics.dialect import parse
from evaluation.rubrics.form import Condition, Field, FormDefinition, Lack, Problem, Section, validate_answers
from evaluation.rubrics.places import RubricError

__all__ = [
    "Condition",
    "Field",
    "FormDefinition",
    "Lack",
    "Problem",
    "RubricError",
    "Section",
    "builtin",
    "parse",
    "practice",
    "validate_answers",
]


def builtin(name: str) -> str:
    """Text of a built-in rubric, by its file name without the extension."""
    return (Path(__file__).parent / "builtin" / f"{name}.md").read_text(encoding="utf-8")


def practice(name: str, language: str = "") -> list[dict[str, Any]]:
    """Explained practice pairs of a built-in rubric, in `language` if available, else in English; empty if none."""
    folder = Path(__file__).parent / "builtin"
    for file in (folder / f"{name}.{language}.practice.json", folder / f"{name}.practice.json"):
        if file.exists():
            found: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
            return found
    return []
