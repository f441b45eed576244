"""Rubrics written as Markdown: parse them into a form, check answers against it. Pure functions, no web framework."""

import json
from pathlib import Path
from typing import Any

from evaluation.rubrics.components import RubricError
from evaluation.rubrics.dialect import parse
from evaluation.rubrics.form import Condition, Field, FormDefinition, Problem, Section, validate_answers

__all__ = [
    "Condition",
    "Field",
    "FormDefinition",
    "Problem",
    "RubricError",
    "Section",
    "builtin",
    "parse",
    "practice",
    "validate_answers",
]


def builtin(name: str) -> str:
    """The text of a rubric that ships with the project, by the name of its file."""
    return (Path(__file__).parent / "builtin" / f"{name}.md").read_text(encoding="utf-8")


def practice(name: str, language: str = "") -> list[dict[str, Any]]:
    """The explained practice pairs that ship with a rubric, in English unless they ship in this language as well; none
    where there are none."""
    folder = Path(__file__).parent / "builtin"
    for file in (folder / f"{name}.{language}.practice.json", folder / f"{name}.practice.json"):
        if file.exists():
            found: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
            return found
    return []
