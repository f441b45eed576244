"""The documented JSON Schema is the one that reports keep."""

import copy
import json
from dataclasses import replace

import jsonschema
import numpy as np
import pytest

from evaluation.stats import Plan, analyse, slicing
from evaluation.stats.reviewers import LEFT, ReviewerWork, reviewer_quality
from evaluation.stats.schema import report_schema
from tests.evaluation.stats.crossed import from_outcomes, make_ratings
from tests.services import ROOT

CONTRACT = {
    *("verdict", "sentence", "primary", "criteria", "agreement", "position", "cautions", "methods"),
    *("plan_hash", "schema_version"),
}


def _full():
    """A report in which every part is there."""
    ratings = make_ratings(shift=0.6, criteria=("tone",))
    n = len(ratings)
    yes = (np.arange(n) % 2).astype(float)
    ratings = replace(
        ratings,
        yes_no={"solved": (yes, 1 - yes)},
        slices={"topic": slicing(["a" if p % 2 else "b" for p in ratings.prompt])},
        lengths=(np.full(n, 90.0), 60.0 + np.arange(n, dtype=np.float64)),
    )
    stuck = np.where(ratings.reviewer == 0, LEFT, np.arange(n) % 3)
    unknown = np.full(n, np.nan)
    work = ReviewerWork(ratings.reviewer, ratings.prompt, stuck, ratings.candidate_left, unknown, unknown)
    plan = Plan(looks=(0.5, 1.0), exclusion=("side_sticking",))
    excluded = ratings.reviewer == 0
    return analyse(ratings, plan, plan.look(1), excluded=excluded, quality=reviewer_quality(work)).to_json()


def test_the_file_in_the_documentation_is_the_schema():
    """Written by `python manage.py report_schema > docs/report.schema.json`."""
    stored = json.loads((ROOT / "docs/report.schema.json").read_text(encoding="utf-8"))
    assert stored == report_schema()


def test_the_schema_is_one_and_holds_the_contract():
    schema = report_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert set(schema["required"]) >= CONTRACT
    assert set(schema["properties"]["primary"]["required"]) >= {
        "estimate",
        "ci_low",
        "ci_high",
        "p_value",
        "wins",
    }


@pytest.mark.parametrize(
    "found",
    [
        _full(),
        analyse(make_ratings(), Plan(watch_se=0.05)).to_json(),
        analyse(make_ratings(), Plan(criteria=("absent",), yes_no=("absent",))).to_json(),
        analyse(from_outcomes([]), Plan()).to_json(),
        analyse(from_outcomes([(0, 0, 0)]), Plan()).to_json(),
    ],
    ids=["full", "watched", "absent", "empty", "one rating"],
)
def test_reports_keep_the_schema(found):
    jsonschema.validate(json.loads(json.dumps(found, allow_nan=False)), report_schema())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda report: report.pop("verdict"),
        lambda report: report.update(verdict="maybe"),
        lambda report: report["primary"].update(estimate="0.6"),
        lambda report: report["primary"].update(guess=1),
        lambda report: report.update(schema_version=1),
    ],
)
def test_what_is_no_report_does_not_keep_it(spoil):
    found = copy.deepcopy(_full())
    spoil(found)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(found, report_schema())
