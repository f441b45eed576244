"""Reads the document of one prompt with both responses in full."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from evaluation.comparison import single
from evaluation.comparison.document import SIDES, PairDocument
from evaluation.comparison.selectors.comparison_facts import provenance, stream
from evaluation.models import Comparison, Pair, Response
from evaluation.scoring import Scorer
from evaluation.scoring.matching import printable
from evaluation.scoring.matching.difference import differences
from evaluation.scoring.matching.match import Match
from evaluation.scoring.matching.response import decode

# The longest part of a response that a page shows. Exports contain all of it.
LONGEST_SHOWN = 40_000


def pair_document(*, comparison: Comparison, pair: Pair) -> PairDocument:
    """One prompt with both responses, matched by the current field rules of its prompt set."""
    scorer = Scorer(
        comparison.prompt_set.field_rules, comparison.prompt_set.schema, comparison.prompt_set.check_name
    )
    prompt = pair.prompt
    responses: dict[str, Response] = {
        "baseline": pair.baseline_response,
        "candidate": pair.candidate_response,
    }
    matches = {
        side: None if prompt.expected is None else scorer.match(prompt.expected, response.text)
        for side, response in responses.items()
    }
    timed = stream(comparison, pair.candidate_model, prompt=prompt.pk)
    return single.build(
        provenance(comparison, pair.candidate_model, made_at=_now(), measured=bool(timed)),
        prompt=_printable(
            {
                "key": prompt.key,
                "instruction": prompt.instruction,
                "input": prompt.input,
                "input_keys": list(prompt.input) if isinstance(prompt.input, dict) else [],
                "messages": prompt.messages,
                "tools": prompt.tools,
                "expected": prompt.expected,
                "tags": prompt.tags,
            }
        ),
        sample=pair.sample,
        sides=_printable({side: _side(responses[side], matches[side], scorer) for side in SIDES}),
        fields=_printable(_fields(matches)),
        stream={figure["name"]: {side: figure[side] for side in SIDES} for figure in timed},
    )


def marked(baseline: str, candidate: str) -> list[dict[str, Any]]:
    """Both texts in pieces for the page, baseline first, with the differences marked the same way on both sides.

    Long texts are truncated; then `cut` is true.
    """
    texts = [_readable(text) for text in (baseline, candidate)]
    pieces = differences(*(text[:LONGEST_SHOWN] for text in texts))
    return [
        {"pieces": side, "cut": len(text) > LONGEST_SHOWN} for side, text in zip(pieces, texts, strict=True)
    ]


def _side(response: Response, match: Match | None, scorer: Scorer) -> dict[str, Any]:
    latency, tokens = response.batch_latency_ms, response.output_tokens
    return {
        "text": response.text,
        "input_tokens": response.input_tokens,
        "output_tokens": tokens,
        "latency_ms": latency,
        "ms_per_token": latency / tokens if latency is not None and tokens else None,
        "finish_reason": response.finish_reason,
        "finish_word": response.finish_word,
        "batch_size": response.batch_size,
        "measures": response.measures,
        "match": _match(match, scorer.schema_valid(response.text)) if match else None,
    }


def _match(match: Match, schema_valid: bool | None) -> dict[str, Any]:
    return {
        "json_status": match.json_status,
        "exact": match.exact,
        "score": match.score,
        "schema_valid": schema_valid,
        "extra_fields": list(match.extra_fields),
        "problems": list(match.problems),
        "right": sum(field.status == "match" for field in match.fields),
        "judged": sum(field.status not in ("similar", "ignored") for field in match.fields),
    }


def _fields(matches: dict[str, Match | None]) -> list[dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    for side, match in matches.items():
        for field in match.fields if match else ():
            first = {"field": field.field, "comparison": field.comparison, "expected": field.expected}
            rows.setdefault(field.field, first)[side] = {
                "status": field.status,
                "got": field.got,
                "similarity": field.similarity,
            }
    return list(rows.values())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _readable(text: str) -> str:
    """Indent a response that is JSON; return any other text unchanged.

    A text that would lose repeated names or digits is also returned unchanged.
    """
    try:
        value = decode(text)
        shown = json.dumps(value, ensure_ascii=False, indent=2)
    except (ValueError, TypeError, RecursionError):
        return text
    return printable(shown) if isinstance(value, dict | list) else text


def _printable(value: Any) -> Any:
    """Replace characters that cannot be encoded, such as a lone surrogate from a JSON escape, and decimals, which
    JSON readers would change, by their text."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dict):
        return {_printable(key): _printable(inner) for key, inner in value.items()}
    return [_printable(inner) for inner in value] if isinstance(value, list) else value
