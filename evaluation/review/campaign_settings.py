"""The settings of a campaign other than its pairs, rubric and analysis, and their checks."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, get_args

from django.conf import settings as site

from evaluation.models import Campaign, Rating
from evaluation.review import platforms
from evaluation.stats.reviewers import FlagCode
from ftplatform.errors import DomainError
from training.intake.conversations import of_turns
from training.intake.readers.lines import RowError

MAX_PRACTICE = 20
MAX_TEXT = 10_000
_LIMITS: dict[str, tuple[int, int, bool]] = {  # minimum, maximum, may be empty
    "lease_minutes": (1, 1440, False),
    "max_per_reviewer": (1, 1_000_000, True),
    "max_per_hour": (1, 10_000, True),
    "edit_minutes": (0, 60 * 24 * 365, True),
    "practice_pass": (0, MAX_PRACTICE, False),
    "quality_every": (1, 1000, True),
}
_TEXTS = ("instructions", "content_warning", "consent")
_FLAGS = ("is_pilot", "allow_markdown", "allow_skip", "ask_tuned")
NAMES = (
    *_LIMITS,
    *_TEXTS,
    *_FLAGS,
    "language",
    "practice",
    "exclude_flags",
    "crowd",
    "hourly_pay",
    "currency",
)


def checked(options: Mapping[str, Any]) -> dict[str, Any]:
    """Check all settings of a campaign, by field name. Missing settings get their defaults.

    Raises DomainError `invalid_settings` that names each invalid one, `invalid_crowd`, and TypeError for an unknown
    name.
    """
    unknown = sorted(set(options) - set(NAMES))
    if unknown:
        raise TypeError(f"unknown settings: {', '.join(unknown)}")
    blank = Campaign()
    values = {name: options.get(name, getattr(blank, name)) for name in NAMES}
    problems = [*_numbers(values), *_texts(values), *_choices(values), *_pay(values)]
    practice, wrong = _practice(values["practice"])
    problems += wrong
    if not wrong and isinstance(values["practice_pass"], int) and values["practice_pass"] > len(practice):
        message = f"There are only {len(practice)} practice pairs."
        problems.append({"field": "practice_pass", "message": message})
    if problems:
        raise DomainError("invalid_settings", "Some settings are not valid.", status=400, problems=problems)
    return values | {"practice": practice, "crowd": platforms.check(values["crowd"])}


def _numbers(values: dict[str, Any]) -> list[dict[str, str]]:
    problems = []
    for name, (least, most, may_be_empty) in _LIMITS.items():
        value = values[name]
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not (value is None and may_be_empty) and not (whole and least <= value <= most):
            problems.append({"field": name, "message": f"Enter a whole number from {least:,} to {most:,}."})
    return problems


def _texts(values: dict[str, Any]) -> list[dict[str, str]]:
    return [
        {"field": name, "message": f"Enter at most {MAX_TEXT:,} characters."}
        for name in _TEXTS
        if not isinstance(values[name], str) or len(values[name]) > MAX_TEXT or "\x00" in values[name]
    ]


def _choices(values: dict[str, Any]) -> list[dict[str, str]]:
    problems = [
        {"field": name, "message": "Enter true or false."}
        for name in _FLAGS
        if not isinstance(values[name], bool)
    ]
    languages = dict(site.LANGUAGES)
    if values["language"] and values["language"] not in languages:
        problems.append(
            {"field": "language", "message": f"Choose from {', '.join(languages)}, or leave it empty."}
        )
    flags = values["exclude_flags"]
    if not isinstance(flags, list) or any(flag not in get_args(FlagCode) for flag in flags):
        problems.append(
            {"field": "exclude_flags", "message": f"Choose from {', '.join(get_args(FlagCode))}."}
        )
    return problems


def _pay(values: dict[str, Any]) -> list[dict[str, str]]:
    pay, currency = values["hourly_pay"], values["currency"]
    problems = []
    if pay is not None and not (isinstance(pay, int | float | Decimal) and 0 <= pay < 100_000):
        problems.append({"field": "hourly_pay", "message": "Enter an amount from 0 to 99,999.99."})
    written = isinstance(currency, str) and (not currency or (len(currency) == 3 and currency.isalpha()))
    if not written or (pay and not currency):
        problems.append(
            {"field": "currency", "message": "Enter three letters, such as EUR. Required with pay."}
        )
    return problems


def _practice(items: Any) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Practice items in their stored form, and their errors."""
    if not isinstance(items, list) or len(items) > MAX_PRACTICE:
        return [], [
            {"field": "practice", "message": f"Give a list of at most {MAX_PRACTICE} practice pairs."}
        ]
    parsed, problems = [], []
    for number, item in enumerate(items):
        message = _practice_complaint(item)
        if not message:
            try:
                parsed.append(item | {"prompt": _practice_prompt(item["prompt"])})
            except RowError as error:
                message = str(error)
        if message:
            problems.append({"field": f"practice[{number}]", "message": message})
    return parsed, problems


def _practice_prompt(prompt: dict[str, Any]) -> dict[str, Any]:
    """The prompt in its stored form; raises RowError."""
    if "messages" not in prompt:
        return prompt
    conversation = of_turns(prompt["messages"], "messages", tools=prompt.get("tools"), output="")
    return {"messages": conversation.messages, "tools": conversation.tools}


def _practice_complaint(item: Any) -> str:
    if not isinstance(item, dict) or set(item) - {"pair"} != {
        "prompt",
        "left",
        "right",
        "expected",
        "explanation",
    }:
        return "A practice pair is {prompt, left, right, expected, explanation}."
    prompt = item["prompt"]
    if not isinstance(prompt, dict) or not (
        set(prompt) == {"instruction", "input"} or {"messages"} <= set(prompt) <= {"messages", "tools"}
    ):
        return "Its prompt is {instruction, input}, or {messages, tools} for a conversation."
    texts = [prompt.get("instruction", ""), item["left"], item["right"], item["explanation"]]
    if (
        any(not isinstance(text, str) or len(text) > 10 * MAX_TEXT for text in texts)
        or not item["explanation"]
    ):
        return f"Instruction, left, right and explanation can have at most {10 * MAX_TEXT:,} characters."
    expected = item["expected"]
    if (
        not isinstance(expected, list)
        or not expected
        or set(map(str, expected)) - {*Rating.Preference.values}
    ):
        return f"`expected` lists the correct answers from {', '.join(Rating.Preference.values)}."
    return ""
