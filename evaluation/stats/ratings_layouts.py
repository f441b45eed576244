"""Exports of other tools, unfolded into rows with our column names: one row per answer of one person.

A layout is recognised by its columns. Each row it gives has prompt_id, reviewer_id and preference where the export
has them, beside the export's own columns, which a caller may map. The formats are those of Label Studio's JSON, CSV
and JSON-MIN exports, of Argilla's records as lists (nested or flat) and of its older feedback datasets, of the
published Chatbot Arena and MT-Bench votes, and of LangSmith's feedback on pairwise experiments.
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from evaluation.stats.ratings_words import clean

Row = Mapping[str, Any]
MODELS = ("model_a", "model_b")
_NAME_COLUMNS = ("judge", "evaluation_session_id", "user_id")
_ARENA = frozenset({"question_id", "id", "turn", "winner", *_NAME_COLUMNS})
_LABEL_STUDIO = frozenset({"annotator", "annotation_id", "id", "lead_time"})
_LANGSMITH = frozenset(
    ("feedback_group_id", "run_id", "session_id", "score", "key", "reference_example_id", "feedback_source")
)


@dataclass(frozen=True)
class Layout:
    """`unfold` gives the ratings of one row, or the reason why it has none. It reads the columns `reads`. `left_over`
    counts rows still waiting for their other half."""

    title: str
    unfold: Callable[[Row], Iterator[Row | str]]
    reads: frozenset[str] = frozenset()
    left_over: Callable[[], int] = lambda: 0


def layout_of(columns: Collection[str]) -> Layout | None:
    """The layout that has these columns; None for our own."""
    names = set(columns)
    if "prompt_id" in names and "reviewer_id" in names:
        return None
    if "feedback_group_id" in names and "run_id" in names:
        pairs = _FeedbackPairs()
        return Layout("LangSmith feedback", pairs.unfold, _LANGSMITH, lambda: len(pairs.waiting))
    if "annotations" in names and "data" in names:
        return Layout("Label Studio, JSON", _label_studio)
    if {"annotator", "annotation_id"} <= names:
        return Layout("Label Studio, one row per annotation", _label_studio_min, _LABEL_STUDIO)
    if {"winner", *MODELS} <= names:
        return Layout("Chatbot Arena votes", _arena, _ARENA)
    if "responses" in names or any(name.endswith(".responses.users") for name in names):
        return Layout("Argilla records", _argilla)
    return None


def _arena(row: Row) -> Iterator[Row | str]:
    """Votes name both models, and the winner as model_a, model_b or a tie. MT-Bench asks each question in two turns;
    each turn is a prompt, and the question is their cluster."""
    question = row.get("question_id", row.get("id"))
    turn = row.get("turn")
    prompt = question if turn in (None, "") or question is None else f"{question}, turn {turn}"
    person = next((row[name] for name in _NAME_COLUMNS if row.get(name) not in (None, "")), None)
    made = {"prompt_id": prompt, "reviewer_id": person, "preference": row["winner"]}
    cluster = {} if prompt == question else {"cluster": question}
    yield {**row, **{name: value for name, value in made.items() if value is not None}, **cluster}


def _label_studio(task: Row) -> Iterator[Row | str]:
    data = task["data"] if isinstance(task["data"], dict) else {}
    annotations = task["annotations"]
    if not isinstance(annotations, list):
        yield "annotations is not a list"
        return
    for annotation in annotations:
        if not isinstance(annotation, dict):
            yield "an annotation is not a JSON object"
        elif not annotation.get("was_cancelled"):
            yield {"prompt_id": task.get("id"), **data, **_annotation(annotation)}


def _annotation(annotation: Row) -> dict[str, Any]:
    """The answers of one annotation by the name of their control. The preference is the pairwise control's answer,
    or the only choice."""
    person = annotation.get("completed_by")
    if isinstance(person, dict):
        person = person.get("email") or person.get("id")
    answers: dict[str, Any] = {}
    chosen: dict[str, Any] = {}
    for result in annotation.get("result") or ():
        value = result.get("value") if isinstance(result, dict) else None
        if not isinstance(value, dict):
            continue
        name, kind = str(result.get("from_name")), result.get("type")
        answers[name] = _only(next((value[k] for k in ("selected", "choices", kind) if k in value), None))
        if kind in ("pairwise", "choices"):
            chosen[kind] = _Twice if kind in chosen else answers[name]
    preference = chosen.get("pairwise", chosen.get("choices"))
    made = {"reviewer_id": person, **answers}
    if preference is not _Twice and "preference" not in answers:
        made["preference"] = preference
    return made | _time(annotation)


class _Twice:
    """Two controls of one kind: which of them is the preference must be mapped."""


def _only(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _time(annotation: Row) -> dict[str, Any]:
    """Label Studio counts seconds."""
    try:
        return {"active_ms": float(annotation["lead_time"]) * 1000}
    except (KeyError, TypeError, ValueError):
        return {}


def _label_studio_min(row: Row) -> Iterator[Row | str]:
    """CSV and JSON-MIN: a pairwise answer is [{"selected": "left"}], in CSV as text."""
    made = {name: _selected(value) for name, value in row.items()}
    picked = [name for name, value in made.items() if value != row[name]]
    if "preference" not in made and len(picked) == 1:
        made["preference"] = made[picked[0]]
    yield {"prompt_id": row.get("id"), **made, "reviewer_id": row["annotator"], **_time(row)}


def _selected(value: Any) -> Any:
    if isinstance(value, str) and value.startswith('[{"selected"'):
        try:
            value = json.loads(value)
        except ValueError:
            return value
    one = _only(value)
    return one["selected"] if isinstance(one, dict) and "selected" in one else value


def _argilla(record: Row) -> Iterator[Row | str]:
    people: dict[str, dict[str, Any]] = {}
    for person, question, value, status in _argilla_answers(record):
        if status in (None, "submitted") and value is not None:
            people.setdefault(str(person), {})[question] = _first_ranked(value)
    inner = [record[name] for name in ("fields", "metadata") if isinstance(record.get(name), dict)]
    shared = {name: value for part in inner for name, value in part.items()}
    number = record.get("external_id") or record.get("id")
    for person, answers in people.items():
        made = {"prompt_id": number, **shared, "reviewer_id": person, **answers}
        if "preference" not in made and len(answers) == 1:
            made["preference"] = next(iter(answers.values()))
        yield made


def _argilla_answers(record: Row) -> Iterator[tuple[Any, str, Any, Any]]:
    """Person, question, value and status of every answer, in any of the three shapes. Another shape raises KeyError,
    TypeError, AttributeError or ValueError."""
    responses = record.get("responses") or {}
    if isinstance(responses, list):
        for one in responses:
            for question, answer in one["values"].items():
                value = answer.get("value") if isinstance(answer, dict) else answer
                yield one["user_id"], question, value, one.get("status")
    else:
        for question, given in responses.items():
            for one in given:
                yield one["user_id"], question, one.get("value"), one.get("status")
    for name, users in record.items():
        if name.endswith(".responses.users") and users:
            question = name.removesuffix(".users")
            states = record.get(f"{question}.status") or [None] * len(users)
            for person, value, status in zip(users, record[question], states, strict=True):
                yield person, question.removesuffix(".responses"), value, status


def _first_ranked(value: Any) -> Any:
    """A ranking of responses as the answer it stands for: the first, or a tie. Other answers stay as they are."""
    if not isinstance(value, list) or not all(isinstance(one, dict) and "rank" in one for one in value):
        return value
    best = min(value, key=lambda one: one["rank"], default=None)
    if best is None:
        return None
    return "tie" if sum(one["rank"] == best["rank"] for one in value) > 1 else best.get("value")


class _FeedbackPairs:
    """LangSmith stores one score per run; two runs with the same feedback group are one comparison. The run of an
    experiment (session) belongs to the system of that name."""

    def __init__(self) -> None:
        self.waiting: dict[tuple[str, str], Row] = {}

    def unfold(self, row: Row) -> Iterator[Row | str]:
        group, key = row.get("feedback_group_id"), str(row.get("key"))
        if group in (None, ""):
            return  # a score of a single run
        if not isinstance(row.get("score"), int | float | str) or row.get("session_id") in (None, ""):
            yield "score or session_id is missing"
            return
        other = self.waiting.pop((str(group), key), None)
        if other is None:
            wanted = ("run_id", "session_id", "score", "reference_example_id", "feedback_source")
            self.waiting[str(group), key] = {name: row.get(name) for name in wanted}
            return
        first, second = sorted((other, row), key=lambda one: str(one["session_id"]))
        try:
            difference = float(first["score"]) - float(second["score"])
        except ValueError:
            yield "score is not a number"
            return
        yield {
            **row,
            "prompt_id": first.get("reference_example_id") or f"{first['run_id']}, {second['run_id']}",
            "reviewer_id": _source(row.get("feedback_source"), key),
            "model_a": clean(str(first["session_id"])),
            "model_b": clean(str(second["session_id"])),
            "preference": "tie" if difference == 0 else "model_a" if difference > 0 else "model_b",
            "candidate_side": "",
        }


def _source(source: Any, key: str) -> str:
    """Who gave the feedback: a person, or the evaluator by its key."""
    if not isinstance(source, dict):
        return key
    metadata = source.get("metadata")
    inner: dict[str, Any] = metadata if isinstance(metadata, dict) else {}
    names = (source.get("user_name"), source.get("user_id"), inner.get("user_name"), inner.get("user_id"))
    return next((str(name) for name in names if name), key)
