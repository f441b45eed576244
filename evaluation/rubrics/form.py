"""The form that a rubric defines, and the validation of a reviewer's answers against it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

Kind = Literal["scale", "select", "multi_select", "yes_no", "text"]
Per = Literal["side", "pair", "campaign"]
SIDES = ("left", "right")
PREFERENCE = "preference"
PREFERENCES = ("left", "right", "tie", "both_bad")
MAX_TEXT = 5000


@dataclass(frozen=True)
class Condition:
    """Ask a question only if the answer to `field`, an earlier question or "preference", compares with `value`.

    For a multi-select, `value` must be among the chosen options. A question asked for each side depends on
    the answer for that side; a question asked once depends on the answer for either side.
    """

    field: str
    operator: Literal["=", "<=", ">="]
    value: str | int | bool

    def holds(self, answer: Any) -> bool:
        if isinstance(answer, list):
            return self.value in answer
        if type(answer) is not type(self.value):
            return False  # true is not 1
        if self.operator == "=" or isinstance(answer, str) or isinstance(self.value, str):
            return bool(answer == self.value)
        return bool(answer <= self.value if self.operator == "<=" else answer >= self.value)


@dataclass(frozen=True)
class Field:
    """One question.

    A scale takes whole numbers from `minimum` to `maximum`. `per` "side" asks the question for each response, "pair"
    once per pair, "campaign" once after the whole campaign, and never of reviewers.
    `group` is the `###` heading above it, by which reports group their criteria. `when` is the condition on
    an earlier answer.
    """

    key: str
    label: str
    kind: Kind
    per: Per = "pair"
    options: tuple[str, ...] = ()
    minimum: int | None = None
    maximum: int | None = None
    required: bool = False
    help: str = ""
    placeholder: str = ""
    group: str = ""
    when: Condition | None = None

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Field":
        when = content.get("when")
        return cls(
            **{
                **content,
                "options": tuple(content["options"]),
                "when": Condition(**when) if when else None,
            }
        )


@dataclass(frozen=True)
class Section:
    """A heading of the document with the text below it, without the questions."""

    title: str
    kind: str
    text: str


@dataclass(frozen=True)
class Problem:
    """One missing or invalid answer. `field` is its key, with the side where there is one."""

    field: str
    message: str


@dataclass(frozen=True)
class Lack:
    """Something that a campaign needs, as a stable code and a sentence."""

    code: str
    message: str


NO_CRITERIA = Lack(
    "no_criteria",
    "The rubric needs at least one scale that rates each side, such as {type: scale, min: 1, max: 10, per: side}.",
)


@dataclass(frozen=True)
class FormDefinition:
    """A parsed rubric. `fields` are in the document's order and their keys are unique.

    `markdown` says that the texts are Markdown. Forms that were stored before it are plain text.
    """

    title: str
    instructions: str
    sections: tuple[Section, ...]
    fields: tuple[Field, ...]
    markdown: bool = False

    def for_review(self) -> "FormDefinition":
        """The form that reviewers fill in: without the questions that are asked once per campaign."""
        return replace(self, fields=tuple(field for field in self.fields if field.per != "campaign"))

    def lacking(self) -> list[Lack]:
        """What a campaign needs that the form does not have; empty if a campaign can use it."""
        if any(field.kind == "scale" and field.per == "side" for field in self.fields):
            return []
        return [NO_CRITERIA]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "FormDefinition":
        """The inverse of `to_json`. It also accepts lists in place of tuples, as JSON returns them."""
        return cls(
            title=content["title"],
            instructions=content["instructions"],
            sections=tuple(Section(**section) for section in content["sections"]),
            fields=tuple(Field.from_json(field) for field in content["fields"]),
            markdown=content.get("markdown", False),
        )


def asked(form: FormDefinition, given: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The places where each question is asked, given these answers.

    The value is ("left", "right") or one of them, ("",) for a question asked once, or () for one that does
    not apply. `given` holds all answers by key, and the preference.
    """
    places: dict[str, tuple[str, ...]] = {PREFERENCE: ("",)}
    for field in form.fields:
        everywhere = SIDES if field.per == "side" else ("",)
        places[field.key] = tuple(
            place for place in everywhere if field.when is None or _applies(field.when, places, given, place)
        )
    return places


def _applies(
    when: Condition, places: Mapping[str, tuple[str, ...]], given: Mapping[str, Any], place: str
) -> bool:
    governing, answer = places[when.field], given.get(when.field)
    if "" in governing:
        return when.holds(answer)
    sides = [side for side in governing if not place or side == place]
    return isinstance(answer, dict) and any(when.holds(answer.get(side)) for side in sides)


def validate_answers(
    form: FormDefinition, scores: Mapping[str, Any], answers: Mapping[str, Any], preference: str = ""
) -> list[Problem]:
    """All errors in a reviewer's answers. An empty list means that they can be stored.

    `scores` holds the scales asked for each side, as key → {left, right}. `answers` holds all other fields by
    key, those asked for each side as {left, right}. A question whose condition does not hold must have no
    answer.
    """
    scales = {field.key: field for field in form.fields if field.kind == "scale" and field.per == "side"}
    others = {field.key: field for field in form.fields if field.key not in scales}
    problems = [
        Problem(f"scores.{key}", "This rubric has no such scale.") for key in scores if key not in scales
    ]
    problems += [
        Problem(f"answers.{key}", "This rubric has no such question.") for key in answers if key not in others
    ]
    places = asked(form, {**answers, **scores, PREFERENCE: preference})
    for key, field in scales.items():
        problems += _check(field, scores.get(key), f"scores.{key}", places[key])
    for key, field in others.items():
        problems += _check(field, answers.get(key), f"answers.{key}", places[key])
    return problems


def _check(field: Field, value: Any, where: str, places: tuple[str, ...]) -> list[Problem]:
    if field.per == "pair":
        return _check_one(field, value, where) if places else _check_unasked(field, value, where)
    if value is None:
        value = {}
    if not isinstance(value, dict):
        return [Problem(where, "Give one answer for each side, as {left, right}.")]
    problems = [
        Problem(f"{where}.{side}", "The sides are left and right.") for side in value if side not in SIDES
    ]
    for side in SIDES:
        check = _check_one if side in places else _check_unasked
        problems += check(field, value.get(side), f"{where}.{side}")
    return problems


def _check_unasked(field: Field, value: Any, where: str) -> list[Problem]:
    if value is None or value == "" or value == []:
        return []
    return [Problem(where, f"{field.label}: with your other answers this is not asked; leave it out.")]


def _check_one(field: Field, value: Any, where: str) -> list[Problem]:
    if value is None or value == "" or value == []:
        return [Problem(where, f"{field.label}: please answer this.")] if field.required else []
    message = _complaint(field, value)
    return [Problem(where, message)] if message else []


def _complaint(field: Field, value: Any) -> str:
    match field.kind:
        case "scale":
            whole = isinstance(value, int) and not isinstance(value, bool)
            good = whole and field.minimum is not None and field.maximum is not None
            if not (good and field.minimum <= value <= field.maximum):
                return f"{field.label}: choose a whole number from {field.minimum} to {field.maximum}."
        case "select":
            if value not in field.options:
                return f"{field.label}: choose one of the options."
        case "multi_select":
            chosen = value if isinstance(value, list) else [None]
            if any(option not in field.options for option in chosen) or len(chosen) > len(
                {*map(str, chosen)}
            ):
                return f"{field.label}: choose among the options, each at most once."
        case "yes_no":
            if not isinstance(value, bool):
                return f"{field.label}: answer yes or no."
        case "text":
            if not isinstance(value, str) or len(value) > MAX_TEXT or "\x00" in value:
                return f"{field.label}: write a text of at most {MAX_TEXT:,} characters."
    return ""
