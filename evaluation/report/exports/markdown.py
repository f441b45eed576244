"""A frozen report as Markdown: the same numbers as the page and the JSON, nothing computed again."""

from typing import Any

from evaluation.models import Report
from ftplatform.text.numbers import points


def markdown(report: Report) -> str:
    """The report for an e-mail or a repository."""
    result = report.result
    parts = [
        f"# {_plain(report.campaign.title)}: {result['verdict'].replace('_', ' ')}",
        f"**{result['sentence']}**",
        *[f"> {_plain(caution['message'])}" for caution in result["cautions"]],
        "## Preference",
        _preference(result["primary"]),
        "## Criteria",
        _criteria(result["criteria"], result["primary"]["confidence"]),
        *_outcomes(result),
        *_prompts(result),
        *_slices(result),
        "## Agreement and position",
        _checks(result),
        *_exclusions(result),
        "## What was done",
        result["methods"],
        "## Where it comes from",
        _provenance(result),
    ]
    return "\n\n".join(parts) + "\n"


def _plain(text: str) -> str:
    """Text of people's making, so that it cannot become markup or leave its line."""
    return "".join(f"\\{char}" if char in "\\`*_{}[]<>#|" else char for char in " ".join(text.split()))


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def number(value: float | None, pattern: str = "{:.2f}") -> str:
    return "–" if value is None else pattern.format(value)


def _between(low: float | None, high: float | None, pattern: str) -> str:
    return "–" if low is None or high is None else f"{pattern.format(low)} to {pattern.format(high)}"


def _p(value: float | None) -> str:
    return "–" if value is None else "< 0.0001" if value < 0.0001 else f"{value:.4f}"


def _preference(primary: dict[str, Any]) -> str:
    percent = "{:.1%}"
    kind = "repeated interval" if primary["repeated_interval"] else "interval"
    rows = [
        ["Win score (win 1, tie ½)", number(primary["estimate"], percent)],
        [f"{primary['confidence']:.0%} {kind}", _between(primary["ci_low"], primary["ci_high"], percent)],
        ["p", _p(primary["p_value"])],
        [
            "Wins / ties / both bad / losses",
            " / ".join(str(primary[k]) for k in ("wins", "ties", "both_bad", "losses")),
        ],
        ["Ratings", str(primary["n_ratings"])],
        ["Prompts", str(primary["n_prompts"])],
        ["Reviewers", str(primary["n_reviewers"])],
    ]
    return _table(["Candidate against baseline", ""], rows)


def _criteria(criteria: list[dict[str, Any]], confidence: float) -> str:
    if not criteria:
        return "The rubric had no criterion to analyse."
    header = [
        "Criterion",
        "Baseline",
        "Candidate",
        "Difference, points",
        f"{confidence:.0%} interval",
        "Change",
        "p",
        "p, Holm",
    ]
    rows = [
        [
            _plain(item["name"]),
            number(item["baseline_mean"]),
            number(item["candidate_mean"]),
            number(item["difference"], "{:+.2f}"),
            _between(item["ci_low"], item["ci_high"], "{:+.2f}"),
            number(item["relative_change"], "{:+.1%}"),
            _p(item["p_value"]),
            _p(item["p_adjusted"]),
        ]
        for item in criteria
    ]
    return _table(header, rows)


def _outcomes(result: dict[str, Any]) -> list[str]:
    rows = [
        [
            _plain(item["name"]),
            number(item["baseline_share"], "{:.1%}"),
            number(item["candidate_share"], "{:.1%}"),
            points(item["difference"]),
            f"{points(item['ci_low'])} to {points(item['ci_high'])}",
            _p(item["p_adjusted"]),
        ]
        for item in result.get("yes_no", ())
    ]
    header = ["Outcome", "Baseline", "Candidate", "Difference", "Interval", "p, Holm"]
    return ["## Outcomes, share of “yes”", _table(header, rows)] if rows else []


def _prompts(result: dict[str, Any]) -> list[str]:
    found = result.get("prompts")
    if not found:
        return []
    counts = (
        f"Prompts on which the candidate was preferred: {found['above']}, the baseline: {found['below']}, "
    )
    rows = [
        [_plain(str(item["prompt"])), number(item["win_score"], "{:.0%}"), str(item["n_ratings"])]
        for side in ("fallen", "risen")
        for item in found[side]
    ]
    table = [_table(["Moved most", "Win score", "Ratings"], rows)] if rows else []
    return ["## Prompt by prompt", f"{counts}neither: {found['level']}.", *table]


def _slices(result: dict[str, Any]) -> list[str]:
    known = [item for item in result.get("slices", {"each": ()})["each"] if item["estimate"] is not None]
    rows = [
        [
            _plain(f"{item['slicing']}: {item['label']}"),
            number(item["estimate"], "{:.1%}"),
            _between(item["ci_low"], item["ci_high"], "{:.1%}"),
            _p(item["p_adjusted"]),
            str(item["n_prompts"]),
        ]
        for item in sorted(known, key=lambda item: float(item["estimate"]))
    ]
    header = ["Slice", "Win score", "Interval", "p, Benjamini–Hochberg", "Prompts"]
    return ["## Slices, exploratory, worst first", _table(header, rows)] if rows else []


def _exclusions(result: dict[str, Any]) -> list[str]:
    found = result.get("exclusions")
    if not found:
        return []
    rows = [
        [
            name,
            side["verdict"].replace("_", " "),
            number(side["estimate"], "{:.1%}"),
            _between(side["ci_low"], side["ci_high"], "{:.1%}"),
            str(side["n_ratings"]),
        ]
        for name, side in (("Everybody", found["everything"]), ("Without flagged reviewers", found["kept"]))
    ]
    header = ["Ratings of", "Verdict", "Win score", "Interval", "Ratings"]
    return ["## With and without flagged reviewers", _table(header, rows)]


def _checks(result: dict[str, Any]) -> str:
    agreement, position = result["agreement"], result["position"]
    interval = _between(agreement["ci_low"], agreement["ci_high"], "{:.2f}")
    rows = [
        ["Krippendorff's α of the preference", number(agreement["alpha"]), interval],
        [
            "Left side preferred",
            number(position["left_score"], "{:.1%}"),
            _between(position["ci_low"], position["ci_high"], "{:.1%}"),
        ],
    ]
    return _table(["Check", "Value", "95 % interval"], rows)


def _provenance(result: dict[str, Any]) -> str:
    source = result["provenance"]
    dataset = source["dataset"]
    toy = " (toy model: its numbers say nothing about real ones)" if source["baseline"]["demo"] else ""
    lines = [
        f"- Baseline: {_plain(source['baseline']['name'])}{toy}, weights `{source['baseline']['weights'][:12]}`",
        f"- Candidate: {_plain(source['candidate']['name'])}, weights `{source['candidate']['weights'][:12]}`",
        f"- Dataset: {_plain(dataset['name'])}, content `{dataset['content'][:12]}`"
        if dataset
        else "- Dataset: –",
        f"- Prompts: {_plain(source['prompt_set']['name'])}, {source['prompt_set']['prompts']} in all",
        f"- Decoding: {_decoding(source['decoding'])}",
        f"- Analysis plan: `{result['plan_hash']}`",
    ]
    if result["look"]:
        lines.append(
            f"- Look {result['look']['number']} of {result['look']['planned']}: {result['look']['cost']}"
        )
    return "\n".join(lines)


def _decoding(decoding: dict[str, Any]) -> str:
    """The frozen settings; imported responses come without any."""
    if not decoding:
        return "not known, the responses were imported"
    settings = f"temperature {decoding['temperature']}, at most {decoding['max_new_tokens']} new tokens"
    return f"{settings}, {decoding['quantisation']}"
