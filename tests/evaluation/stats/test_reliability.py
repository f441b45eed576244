import evalica
import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import pytest
from statsmodels.stats.inter_rater import cohens_kappa

from evaluation.stats import reliability
from evaluation.stats.reliability import percent_agreement, rating_table
from tests.evaluation.stats.crossed import unchecked

alpha_interval = unchecked(reliability.alpha_interval)
gwet_ac = unchecked(reliability.gwet_ac)
krippendorff_alpha = unchecked(reliability.krippendorff_alpha)

# Krippendorff's own example: 12 units, 4 observers, a dot where one is missing.
EXAMPLE = """1 1 . 1 / 2 2 3 2 / 3 3 3 3 / 3 3 3 3 / 2 2 2 2 / 1 2 3 4
/ 4 4 4 4 / 1 1 2 1 / 2 2 2 2 / . 5 5 5 / . . 1 1 / . . 3 ."""


def _example():
    rows = [row.split() for row in EXAMPLE.split("/")]
    pairs = [(unit, float(mark)) for unit, row in enumerate(rows) for mark in row if mark != "."]
    return np.array([u for u, _ in pairs]), np.array([v for _, v in pairs])


def _two_raters(table):
    """Units and values of two raters whose cross table is `table`."""
    cells = [(i, j) for i, row in enumerate(table) for j, n in enumerate(row) for _ in range(n)]
    return np.repeat(np.arange(len(cells)), 2), np.array(cells, dtype=float).ravel()


@pytest.mark.parametrize(
    ("level", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849), ("ratio", 0.797)]
)
def test_krippendorffs_example(level, alpha):
    assert krippendorff_alpha(rating_table(*_example()), level) == pytest.approx(alpha, abs=5e-4)


def test_agreement_of_krippendorffs_example():
    table = rating_table(*_example())
    assert percent_agreement(table) == pytest.approx(0.81818, abs=1e-5)
    assert gwet_ac(table) == pytest.approx(0.77544, abs=1e-5)


@pytest.mark.parametrize("level", ["nominal", "ordinal", "interval", "ratio"])
@pytest.mark.parametrize("seed", range(3))
def test_alpha_equals_evalica(level, seed):
    rng = np.random.default_rng(seed)
    matrix = np.clip(np.round(rng.normal(3, 1, size=(5, 1)) + rng.normal(3, 1, size=(5, 30))), 1, 9)
    matrix[rng.random(matrix.shape) < 0.4] = np.nan
    rater, unit = np.nonzero(np.isfinite(matrix))
    ours = krippendorff_alpha(rating_table(unit, matrix[rater, unit]), level)
    theirs = evalica.alpha(pd.DataFrame(matrix), distance=level).alpha
    assert ours == pytest.approx(theirs)


def test_three_by_three_table():
    table = [[13, 0, 0], [0, 20, 7], [0, 4, 56]]
    units, values = _two_raters(table)
    found = rating_table(units, values)
    assert gwet_ac(found) == pytest.approx(0.8493305, abs=1e-7)
    assert cohens_kappa(table).kappa == pytest.approx(0.7964094, abs=1e-7)
    # Nominal α is Scott's π with its small-sample correction.
    pi, n = 0.7962397, len(values)
    assert krippendorff_alpha(found, "nominal") == pytest.approx(1 - (1 - pi) * (n - 1) / n, abs=1e-7)


def test_ac_stays_up_where_alpha_falls_to_its_floor():
    units, values = _two_raters([[95, 2], [3, 0]])
    table = rating_table(units, values)
    assert krippendorff_alpha(table, "nominal") < 0.05
    assert gwet_ac(table) > 0.9


def test_weighted_agreement_forgives_near_misses():
    units, values = _two_raters([[20, 5, 0], [5, 20, 5], [0, 5, 20]])
    table = rating_table(units, values)
    assert gwet_ac(table, "quadratic") > gwet_ac(table, "linear") > gwet_ac(table)


def test_perfect_agreement_is_one():
    table = rating_table(np.repeat(np.arange(6), 2), np.repeat([1.0, 2, 3, 1, 2, 3], 2))
    assert krippendorff_alpha(table, "ordinal") == pytest.approx(1)
    assert gwet_ac(table) == pytest.approx(1)


@pytest.mark.parametrize(
    ("units", "values"), [([], []), ([0, 1, 2], [1.0, 2, 3]), ([0, 0, 1, 1], [1.0, 1, 1, 1])]
)
def test_no_alpha_without_overlap_or_variation(units, values):
    table = rating_table(np.array(units, dtype=np.int64), np.array(values, dtype=float))
    assert krippendorff_alpha(table, "nominal") is None
    assert alpha_interval(table, "nominal", seed=0) is None


def test_interval_is_reproducible_and_surrounds_alpha():
    rng = np.random.default_rng(0)
    units = np.repeat(np.arange(80), 3)
    values = np.round(rng.normal(size=80)[units] + rng.normal(size=240))
    table = rating_table(units, values)
    found = alpha_interval(table, "interval", seed=5)
    assert found == alpha_interval(table, "interval", seed=5)
    assert found.low < krippendorff_alpha(table, "interval") < found.high
    assert 0.1 < found.high - found.low < 0.5


def test_negative_values_have_no_ratio_scale():
    with pytest.raises(ValueError, match="negative"):
        krippendorff_alpha(rating_table(np.array([0, 0]), np.array([-1.0, 2.0])), "ratio")
