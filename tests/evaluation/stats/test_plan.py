"""The analysis plan: its values, its hash and its planned analyses."""

import pytest

from evaluation.stats.plan import Look, Plan


def test_the_plan_hash_is_the_plans_content():
    assert Plan().hash() == Plan().hash()
    assert (
        len({p.hash() for p in (Plan(), Plan(margin=0.04), Plan(criteria=("tone",)), Plan(looks=(1.0,)))})
        == 4
    )


@pytest.mark.parametrize(
    "bad",
    [
        {"alpha": 0.0},
        {"margin": 0.5},
        {"looks": (0.5, 0.2)},
        {"criteria": ("a", "a")},
        {"planned_ratings": 0},
    ],
)
def test_values_that_make_no_plan_are_refused(bad):
    with pytest.raises(ValueError, match=r"must|looks"):
        Plan(**bad)


def test_a_look_must_be_planned():
    with pytest.raises(ValueError, match="planned looks"):
        Look(3, (0.5, 1.0))


def test_the_hash_of_a_plan_frozen_by_an_earlier_version_is_the_same():
    frozen = Plan(
        candidate_name="the tuned model",
        baseline_name="the base model",
        planned_ratings=180,
        analysis_version=2,
    )
    assert frozen.hash() == "def67e0e342095acf0dcef67a1a40705640b7977299bb43c7bc3f7c6986846fc"
