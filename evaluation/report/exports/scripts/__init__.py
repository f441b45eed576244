"""Scripts in public languages that compute a report's headline again from its ratings, for whoever trusts nobody."""

from pathlib import Path
from typing import Any

from evaluation.models import Report
from ftplatform.errors import DomainError

_SOURCES = {"py": "recompute.py.txt", "R": "recompute.R"}
LANGUAGES = tuple(_SOURCES)


def recompute(report: Report, language: str) -> str:
    """The script in `language` with the report's own figures to compare with.

    Raises DomainError `nothing_to_recompute` where the headline is no interval of the usual kind.
    """
    primary = report.result["primary"]
    if primary["ci_low"] is None or primary["clustered"]["se"] is None:
        raise DomainError(
            "nothing_to_recompute",
            "This report's headline has no interval that a script could compute again.",
        )
    text = (Path(__file__).parent / _SOURCES[language]).read_text()
    for name, value in _figures(primary).items():
        text = text.replace(f"@{name}@", _literal(value, language))
    return text


def _figures(primary: dict[str, Any]) -> dict[str, float | bool]:
    return {
        "ESTIMATE": primary["estimate"],
        "LOW": primary["ci_low"],
        "HIGH": primary["ci_high"],
        "LEVEL": 1 - primary["significance_level"],
        "BALANCED": primary["reviewer_balanced"],
        "MIXED": primary["mixed_model"] is not None,
    }


def _literal(value: float | bool, language: str) -> str:
    if isinstance(value, bool):
        return str(value).upper() if language == "R" else str(value)
    return repr(float(value))
