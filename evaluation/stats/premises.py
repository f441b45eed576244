"""The numbers that the report's first sentence and its cautions rest on, for programs that check or translate them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

# By the code of a caution: paths in the report, with the name of a criterion or outcome where a part is a list.
# `plan`, `submitted` (ratings before exclusions), `clusters` (of prompts) and `workload_p_value` are not in the report.
PREMISES: Mapping[str, tuple[str, ...]] = {
    "sentence": (
        *("primary.estimate", "primary.ci_low", "primary.ci_high", "primary.confidence"),
        *("primary.equivalence_low", "primary.equivalence_high", "primary.margin", "plan.alpha"),
        *("primary.significance_level", "primary.p_value", "primary.clustered.se", "primary.mixed_model.se"),
        *("primary.n_reviewers", "primary.n_prompts", "look.number", "look.planned"),
        *("stages.number", "stages.planned", "stages.estimate", "stages.ci_low", "stages.ci_high"),
        *("stages.p_value", "stages.significance_level"),
    ),
    "confirmatory": ("plan.alpha",),
    "few_reviewers": ("primary.n_reviewers",),
    "few_prompts": ("primary.n_prompts",),
    "dominant_reviewer": ("reviewers.largest_share", "reviewers.n"),
    "uneven_workloads": ("reviewers.n", "reviewers.effective"),
    "no_clusters": ("clusters",),
    "few_clusters": ("clusters",),
    "informative_workload": ("workload_p_value",),
    "weighting_matters": (
        *("primary.estimate", "primary.mean_over_ratings", "primary.margin"),
        *("primary.wins", "primary.losses"),
    ),
    "no_inference": ("primary.n_prompts", "primary.n_reviewers"),
    "no_variance": ("primary.wins", "primary.ties", "primary.both_bad", "primary.losses"),
    "interim_look": ("look.number", "look.planned", "primary.significance_level", "plan.alpha"),
    "before_planned_end": ("submitted", "plan.planned_ratings"),
    "methods_disagree": (
        *("primary.clustered.p_value", "primary.mixed_model.p_value", "primary.significance_level"),
    ),
    "small_difference": ("primary.estimate", "primary.margin"),
    "no_overlap": ("agreement.n_prompts",),
    "low_agreement": ("agreement.alpha", "agreement.ac1"),
    "position_effect": ("position.left_score", "position.p_value", "plan.alpha"),
    "unbalanced_sides": ("position.candidate_left_share", "position.balance_p_value"),
    "missing_criterion": (
        *("criteria.n_ratings", "criteria.n_missing", "yes_no.n_ratings", "yes_no.n_missing"),
    ),
    "criterion_no_inference": ("criteria.n_ratings", "yes_no.n_ratings"),
    "analysis_updated": ("plan.analysis_version",),
    "exclusions_decide": (
        *("exclusions.n_reviewers", "exclusions.everything.estimate", "exclusions.everything.p_value"),
        *("exclusions.kept.estimate", "exclusions.kept.p_value"),
    ),
    "length_decides": ("length.adjusted_ci_low", "length.adjusted_ci_high"),
}


@dataclass(frozen=True)
class Premise:
    """A number behind `sentence`: "sentence" for the report's first one, otherwise the code of a caution.

    `path` leads to the number in the report.
    """

    sentence: str
    path: str
    value: float


def premises(cautions: Iterable[str], source: Mapping[str, object]) -> Iterator[Premise]:
    """The numbers behind the first sentence and each of `cautions` (codes), where they exist.

    `source` maps the first part of every path to its object.
    """
    for sentence in dict.fromkeys(("sentence", *cautions)):
        for path in PREMISES.get(sentence, ()):
            first, *rest = path.split(".")
            for where, value in _resolved(source[first], first, rest):
                if isinstance(value, int | float):
                    yield Premise(sentence, where, float(value))


def _resolved(value: object, path: str, rest: list[str]) -> Iterator[tuple[str, object]]:
    if isinstance(value, tuple):
        for item in value:
            yield from _resolved(item, f"{path}.{item.name}", rest)
    elif rest and value is not None:
        yield from _resolved(getattr(value, rest[0]), f"{path}.{rest[0]}", rest[1:])
    else:
        yield path, value
