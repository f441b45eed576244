"""The report as a PDF, set by Typst from the frozen result; its texts are data and never markup."""

import json
from pathlib import Path
from typing import Any

import typst

from evaluation.models import Report
from evaluation.report.charts import report as charts
from evaluation.report.exports import document
from evaluation.report.selectors import reports
from ftplatform.charts import export_svg
from ftplatform.text.numbers import count, decimal, hundred, p_value, percent, points, signed, signed_percent
from ftplatform.text.values import verdict_word, words

_LAYOUT = Path(__file__).with_name("report.typ")


def pdf(report: Report) -> bytes:
    """Pages of A4 with the verdict, the figures, the tables, the methods and where every number comes from."""
    made: bytes = typst.compile(_LAYOUT.read_bytes(), sys_inputs={"report": json.dumps(_content(report))})
    return made


def _content(report: Report) -> dict[str, Any]:
    result, campaign = report.result, report.campaign
    figures = charts.figures(result, document.history(report))
    return {
        "title": campaign.title,
        "subtitle": f"{campaign.candidate.name} (tuned, the candidate) against {campaign.run.baseline.name} "
        f"(base, the baseline). {'Final report' if report.is_final else f'Interim look {report.look}'}, "
        f"{report.created_at:%d %B %Y, %H:%M} UTC.",
        "verdict": verdict_word(result["verdict"]),
        "sentence": result["sentence"],
        "cautions": [*_toy(result), *(caution["message"] for caution in result["cautions"])],
        "figures": [
            {"title": f.title, "svg": export_svg(f.spec), "alt": f.alt, "caption": f.caption}
            for f in figures.values()
        ],
        "tables": [_primary(result), _criteria(result), _outcomes(result), _checks(result), _movers(result)],
        "methods": result["methods"],
        "provenance": _provenance(result),
    }


def _toy(result: dict[str, Any]) -> list[str]:
    toy = "Base and adapter are tiny models that show how everything works; nothing here says anything about real ones."
    return [toy] if result["provenance"]["baseline"]["demo"] else []


def _primary(result: dict[str, Any]) -> dict[str, Any]:
    primary = result["primary"]
    rows = [
        ["Win score of the candidate, of 100", hundred(primary["estimate"], 1)],
        [
            f"{percent(primary['confidence'])} interval",
            f"{hundred(primary['ci_low'], 1)} to {hundred(primary['ci_high'], 1)}",
        ],
        ["p-value, two-sided", p_value(primary["p_value"])],
        [
            "Wins / ties / both bad / losses",
            " / ".join(count(primary[key]) for key in ("wins", "ties", "both_bad", "losses")),
        ],
        [
            "Ratings, prompts, reviewers",
            ", ".join(count(primary[key]) for key in ("n_ratings", "n_prompts", "n_reviewers")),
        ],
    ]
    return {"title": "Preference", "header": ["", ""], "rows": rows}


def _criteria(result: dict[str, Any]) -> dict[str, Any]:
    rows = [
        [
            words(item["name"]),
            f"{decimal(item['baseline_mean'])} → {decimal(item['candidate_mean'])}",
            signed(item["difference"]),
            f"{signed(item['ci_low'])} to {signed(item['ci_high'])}",
            signed_percent(item["relative_change"], 1),
            p_value(item["p_adjusted"]),
        ]
        for item in result["criteria"]
    ]
    header = ["Criterion", "Means", "Difference", "Interval", "Change", "p, Holm"]
    return {"title": "Criteria, in points of the scale", "header": header, "rows": rows}


def _outcomes(result: dict[str, Any]) -> dict[str, Any]:
    rows = [
        [
            words(item["name"]),
            f"{percent(item['baseline_share'])} → {percent(item['candidate_share'])}",
            points(item["difference"]),
            f"{points(item['ci_low'])} to {points(item['ci_high'])}",
            p_value(item["p_adjusted"]),
        ]
        for item in result.get("yes_no", ())
    ]
    header = ["Outcome", "Share of “yes”", "Difference", "Interval", "p, Holm"]
    return {"title": "Outcomes", "header": header, "rows": rows}


def _movers(result: dict[str, Any]) -> dict[str, Any]:
    rows = [
        [str(item["prompt"]), f"{hundred(item['win_score'])} of 100", count(item["n_ratings"])]
        for items in reports.moved_prompts(result).values()
        for item in items
    ]
    return {"title": "Prompts that moved most", "header": ["Prompt", "Win score", "Ratings"], "rows": rows}


def _checks(result: dict[str, Any]) -> dict[str, Any]:
    agreement, position = result["agreement"], result["position"]
    rows = [
        [
            "Krippendorff's α of the preference",
            decimal(agreement["alpha"]),
            f"{decimal(agreement['ci_low'])} to {decimal(agreement['ci_high'])}",
        ],
        [
            "Left side preferred",
            percent(position["left_score"], 1),
            f"{percent(position['ci_low'], 1)} to {percent(position['ci_high'], 1)}",
        ],
    ]
    return {"title": "Agreement and side", "header": ["Check", "Value", "95 % interval"], "rows": rows}


def _provenance(result: dict[str, Any]) -> list[list[str]]:
    source = result["provenance"]
    dataset = source["dataset"]
    toy = " (toy model)" if source["baseline"]["demo"] else ""
    return [
        ["Baseline", f"{source['baseline']['name']}{toy}, weights {source['baseline']['weights'][:16]}"],
        ["Candidate", f"{source['candidate']['name']}, weights {source['candidate']['weights'][:16]}"],
        ["Dataset", f"{dataset['name']}, content {dataset['content'][:16]}" if dataset else "–"],
        ["Prompts", f"{source['prompt_set']['name']}, {count(source['prompt_set']['prompts'])} in all"],
        ["Training run", source["training_run"] or "–"],
        ["Comparison", source["comparison"]],
        ["Analysis plan", result["plan_hash"]],
    ]
