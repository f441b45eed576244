"""Settings of crowd platforms: presets, parameters and completion codes."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from ftplatform.errors import DomainError

ENDINGS = ("completed", "screened_out", "failed")


MAX_PARAMETER = 200


PRESETS: dict[str, dict[str, Any]] = {
    "prolific": {
        "label": "Prolific",
        "id_parameter": "PROLIFIC_PID",
        "captured": ["STUDY_ID", "SESSION_ID"],
        "redirect": "https://app.prolific.com/submissions/complete?cc={code}",
        "query": "PROLIFIC_PID={{%PROLIFIC_PID%}}&STUDY_ID={{%STUDY_ID%}}&SESSION_ID={{%SESSION_ID%}}",
    },
    "connect": {
        "label": "CloudResearch Connect",
        "id_parameter": "participantId",
        "captured": ["assignmentId", "projectId"],
        "redirect": "",
        "query": "",
    },
    "sona": {
        "label": "SONA",
        "id_parameter": "survey_code",
        "captured": [],
        "redirect": "",
        "query": "survey_code=%SURVEY_CODE%",
    },
    "other": {"label": "Another platform", "id_parameter": "id", "captured": [], "redirect": "", "query": ""},
}


_PARAMETER = re.compile(r"[A-Za-z][A-Za-z0-9_\-]{0,59}")


def check(values: Mapping[str, Any]) -> dict[str, Any]:
    """Check the settings of a platform and return them complete; {} for none. Raises DomainError `invalid_crowd`."""
    if not values:
        return {}
    preset = values.get("preset", "other")
    if preset not in PRESETS:
        raise _invalid("preset", f"Choose from {', '.join(PRESETS)}.")
    unknown = sorted(set(values) - {"preset", "id_parameter", "captured", "redirect", "codes"})
    if unknown:
        raise _invalid(unknown[0], "Unknown field.")
    given = {**PRESETS[preset], **{name: value for name, value in values.items() if value not in ("", None)}}
    captured = given["captured"] if isinstance(given["captured"], list) else [None]
    for name, parameter in [("id_parameter", given["id_parameter"]), *(("captured", p) for p in captured)]:
        if not isinstance(parameter, str) or not _PARAMETER.fullmatch(parameter):
            raise _invalid(
                name, "A parameter starts with a letter and contains only letters, digits, _ and -."
            )
    return {
        "preset": preset,
        "id_parameter": given["id_parameter"],
        "captured": list(dict.fromkeys(captured)),
        "redirect": _check_redirect(given["redirect"]),
        "codes": _check_codes(given.get("codes")),
    }


def _check_redirect(redirect: Any) -> str:
    if not isinstance(redirect, str) or len(redirect) > 500:
        raise _invalid("redirect", "The URL can have at most 500 characters.")
    if redirect:
        filled = redirect.replace("{code}", "x").replace("{id}", "x")
        parts = urlsplit(filled)
        if (
            parts.scheme != "https"
            or not parts.hostname
            or set("{}<>\"' ") & set(filled)
            or "@" in parts.netloc
        ):
            raise _invalid("redirect", "Enter an https URL. {code} and {id} are placeholders.")
    return redirect


def _check_codes(codes: Any) -> dict[str, str]:
    given = codes if isinstance(codes, dict) else {}
    for name, code in given.items():
        if name not in ENDINGS or not isinstance(code, str) or not re.fullmatch(r"[\w\-]{0,60}", code):
            raise _invalid(f"codes.{name}", "Codes contain only letters, digits, _ and -.")
    if not given.get("completed"):
        raise _invalid("codes.completed", "Enter the platform's code for a completed submission.")
    used = [code for code in given.values() if code]
    if len(set(used)) != len(used):
        raise _invalid("codes", "Use a different code for each outcome.")
    return {name: str(given.get(name) or "") for name in ENDINGS}


def _invalid(field: str, message: str) -> DomainError:
    return DomainError(
        "invalid_crowd",
        f"The crowd platform settings are not valid: {message}",
        status=400,
        problems=[{"field": f"crowd.{field}", "message": message}],
    )
