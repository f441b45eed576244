"""Rubrics written as Markdown: parse them into a form, check answers against it. Pure functions, no web framework."""

from pathlib import Path

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
    "validate_answers",
]


def builtin(name: str) -> str:
    """The text of a rubric that ships with the project, by the name of its file."""
    return (Path(__file__).parent / "builtin" / f"{name}.md").read_text(encoding="utf-8")
