"""Python and R scripts that recompute a report's headline from its ratings, without this product."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evaluation.models import Report
from ftplatform.errors import DomainError

_SOURCES = {"py": "recompute.py.txt", "R": "recompute.R"}
LANGUAGES = tuple(_SOURCES)
# Reports of earlier schema versions have symmetric intervals.
_LOG_ODDS_SINCE = 3


def available(report: Report) -> bool:
    """Whether the headline has an interval based on a standard error, which a script can recompute."""
    primary = report.result["primary"]
    return primary["ci_low"] is not None and primary["clustered"]["se"] is not None


def recompute(report: Report, language: str, repeated: Mapping[str, str]) -> str:
    """The script in `language`, with the report's figures inserted for comparison.

    `repeated` maps the key of each prompt with the content of an earlier one to that one's key.

    Raises DomainError `nothing_to_recompute` if `available` is false.
    """
    if not available(report):
        raise DomainError(
            "nothing_to_recompute", "This report's headline has no interval that a script can recompute."
        )
    text = (Path(__file__).parent / _SOURCES[language]).read_text()
    for name, value in _figures(report.result).items():
        text = text.replace(f"@{name}@", _literal(value, language))
    earlier = [stage["z"] for stage in _stages(report.result)[:-1]]
    text = text.replace("@EARLIER@", _numbers(earlier, language))
    text = text.replace("@REPEATED@", _mapping(repeated, language))
    return text.replace("@EXCLUDED@", _names(excluded(report.result), language))


def excluded(result: dict[str, Any]) -> list[str]:
    """Reviewers that the frozen rule excludes from the headline, named as in the ratings."""
    rule = set((result.get("exclusions") or {}).get("rule", ()))
    flagged = (result.get("quality") or {}).get("flagged", ())
    return [one["reviewer"] for one in flagged if rule & {flag["code"] for flag in one["flags"]}]


def _figures(result: dict[str, Any]) -> dict[str, float | bool]:
    primary = result["primary"]
    return {
        "ESTIMATE": primary["estimate"],
        "LOW": primary["ci_low"],
        "HIGH": primary["ci_high"],
        "LEVEL": 1 - primary["significance_level"],
        "COMBINED": (result.get("stages") or {}).get("z") or 0.0,
        "BALANCED": primary["reviewer_balanced"],
        "MIXED": primary["mixed_model"] is not None,
        "LOG_ODDS": result["schema_version"] >= _LOG_ODDS_SINCE,
    }


def _stages(result: dict[str, Any]) -> list[dict[str, Any]]:
    """The stages of the test, the last of them this campaign; none for a campaign without stages."""
    return list((result.get("stages") or {}).get("each", ()))


def _literal(value: float | bool, language: str) -> str:
    if isinstance(value, bool):
        return str(value).upper() if language == "R" else str(value)
    return repr(float(value))


def _numbers(values: list[float], language: str) -> str:
    """Numbers as an R vector or a Python list."""
    joined = ", ".join(repr(value) for value in values)
    return f"c({joined})" if language == "R" else f"[{joined}]"


def _names(names: list[str], language: str) -> str:
    """Names as an R vector or a Python list. JSON strings are valid in both languages."""
    quoted = ", ".join(json.dumps(name) for name in names)
    return f"c({quoted})" if language == "R" else f"[{quoted}]"


def _mapping(names: Mapping[str, str], language: str) -> str:
    """A mapping as a named R vector or a Python dict."""
    pairs = [(json.dumps(name), json.dumps(value)) for name, value in names.items()]
    joined = ", ".join(f"{name}{' = ' if language == 'R' else ': '}{value}" for name, value in pairs)
    return f"c({joined})" if language == "R" else f"{{{joined}}}"
