"""Questions: the field that a label and its component define."""

import re
from typing import Any

from evaluation.rubrics.components import ANSWERS, Component
from evaluation.rubrics.form import PREFERENCE, PREFERENCES, Condition, Field, Kind, Per
from evaluation.rubrics.places import RubricError

_COMMON = {"type", "key", "per", "required", "help", "when"}
_OWN = {
    "select": {"options"},
    "multi_select": {"options"},
    "selection": {"multiple", "title", "icon", "options"},
    "scale": {"min", "max"},
    "text": {"placeholder"},
    "textarea": {"placeholder"},
    "yes_no": set[str](),
}
_PER: dict[str, Per] = {"side": "side", "pair": "pair", "campaign": "campaign"}
_CONDITION = re.compile(r"\s*(?P<key>[a-z][a-z0-9_]*)\s*(?P<operator><=|>=|=)\s*(?P<value>.+?)\s*")

# An option with its line and column.
Option = tuple[str, int, int]


def question(
    label: str,
    given: Component,
    earlier: list[Field],
    *,
    group: str,
    default_per: Per = "pair",
    listed: list[Option] | None = None,
    help_text: str = "",
) -> Field:
    """The field defined by a question and its component. Raises RubricError.

    `earlier` are the fields above it, `listed` the options of the list below it.
    """
    unknown = sorted(set(given.nodes) - _COMMON - _OWN[given.type])
    if unknown:
        raise given.error(f"A {given.type} has no attribute {', '.join(unknown)}.", unknown[0])
    kind = _kind(given)
    minimum, maximum = _bounds(given) if kind == "scale" else (None, None)
    per = per_of(given, default_per)
    return Field(
        key=_key(label, given, earlier),
        label=label.rstrip(":").strip(),
        kind=kind,
        per=per,
        options=_options(given, listed or []) if kind in ("select", "multi_select") else (),
        minimum=minimum,
        maximum=maximum,
        required=given.flag("required", default=kind == "scale"),
        help=given.get("help") or help_text,
        placeholder=given.get("placeholder"),
        group=group,
        when=_when(given, earlier, per),
    )


def per_of(given: Component, default: Per = "pair") -> Per:
    """How often a question is asked. Raises RubricError."""
    per = given.get("per", default)
    if per not in _PER:
        raise given.error("`per` is side, pair or campaign.", "per")
    return _PER[per]


def _kind(given: Component) -> Kind:
    if given.type == "selection":
        return "multi_select" if given.flag("multiple") else "select"
    return ANSWERS[given.type]


def _key(label: str, given: Component, earlier: list[Field]) -> str:
    key = given.get("key") or _slug(label)
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,59}", key):
        raise given.error(f"The key {key!r} must be lower-case letters, digits and underscores.", "key")
    if key == PREFERENCE:
        raise given.error("The key 'preference' is taken by the question which response is better.", "key")
    if any(other.key == key for other in earlier):
        raise given.error(f"The key {key!r} is used twice; give this question its own key.", "key")
    return key


def _slug(label: str) -> str:
    slug = "_".join(re.findall(r"[a-z0-9]+", label.lower()))[:60].rstrip("_")
    return slug if slug[:1].isalpha() else f"question_{slug}".rstrip("_")[:60]


def _options(given: Component, listed: list[Option]) -> tuple[str, ...]:
    options = [*given.texts("options"), *listed]
    if len(options) < 2:
        raise given.error("A choice needs at least two options.", "options")
    seen: set[str] = set()
    for text, line, column in options:
        if not text:
            raise RubricError("An option is empty.", line, column)
        if text in seen:
            raise RubricError(f"Two options are the same: {text!r}.", line, column)
        seen.add(text)
    return tuple(text for text, _, _ in options)


def _bounds(given: Component) -> tuple[int, int]:
    low, high = given.whole("min", 1), given.whole("max", 10)
    if low is None or high is None or not low < high <= low + 100:
        where = "max" if given.has("max") else "min"
        raise given.error("A scale goes from a whole `min` to a larger `max`, at most 100 apart.", where)
    return low, high


def _when(given: Component, earlier: list[Field], per: Per) -> Condition | None:
    if not given.has("when"):
        return None
    found = _CONDITION.fullmatch(given.get("when"))
    if found is None:
        raise given.error('`when` is written "question=answer", "question<=number" or ">=".', "when")
    key, operator, value = found["key"], found["operator"], found["value"]
    if key == PREFERENCE:
        if per == "campaign":
            raise given.error("A question asked once per campaign cannot depend on the preference.", "when")
        if operator != "=" or value not in PREFERENCES:
            raise given.error(f"The preference is one of {', '.join(PREFERENCES)}.", "when")
        return Condition(key, "=", value)
    governing = next((other for other in earlier if other.key == key), None)
    if governing is None:
        raise given.error(f"No question above has the key {key!r}.", "when")
    if (governing.per == "campaign") != (per == "campaign"):
        raise given.error(
            f"{key} is asked once per {'campaign' if per != 'campaign' else 'pair'}; "
            "a question can only depend on one that is asked together with it.",
            "when",
        )
    return _condition(governing, operator, value, given)


def _condition(governing: Field, operator: Any, value: str, given: Component) -> Condition:
    if governing.kind == "scale" and governing.minimum is not None and governing.maximum is not None:
        if re.fullmatch(r"-?\d{1,9}", value) and governing.minimum <= int(value) <= governing.maximum:
            return Condition(governing.key, operator, int(value))
        message = f"{governing.key} goes from {governing.minimum} to {governing.maximum}."
    elif operator != "=":
        message = f"{operator} compares numbers; {governing.key} is no scale."
    elif governing.kind == "yes_no":
        if value in ("yes", "no"):
            return Condition(governing.key, "=", value == "yes")
        message = f"{governing.key} is answered yes or no."
    elif governing.options:
        if value in governing.options:
            return Condition(governing.key, "=", value)
        message = f"{value!r} is no option of {governing.key}."
    else:
        message = f"{governing.key} is a text; no other question can depend on it."
    raise given.error(message, "when")
