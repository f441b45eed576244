"""Build the report document of one frozen result."""

from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.report.document import analyses, next_steps, outcomes, preference, provenance, stored, trust
from evaluation.report.document.model import Caution, Origin, ReportDocument, Section, Verdict
from evaluation.stats.report import Report
from ftplatform.text.values import moment, unbroken, verdict_word

_TOY = "The models are tiny and only show how the product works. The result says nothing about real models."


def build(
    result: Mapping[str, Any],
    *,
    origin: Origin | None = None,
    history: Sequence[Mapping[str, Any]] = (),
) -> ReportDocument:
    """Build the document from `result`, the stored JSON of a report of this or an earlier version.

    `origin` is None for ratings from a file. `history` holds the results of this and all earlier analyses.
    """
    report, source = stored.read(result), result.get("provenance") or {}
    toy = any((source.get(side) or {}).get("demo") for side in ("baseline", "candidate"))
    return ReportDocument(
        title=origin.title if origin else "Report",
        subtitle=_subtitle(origin),
        verdict=Verdict(report.verdict, verdict_word(report.verdict)),
        sentence=unbroken(report.sentence),
        simulated=report.simulated,
        toy=toy,
        cautions=(
            *((Caution("toy_model", _TOY),) if toy else ()),
            *(Caution(caution.code, unbroken(caution.message)) for caution in report.cautions),
        ),
        sections=_sections(report, source, origin, [stored.read(earlier) for earlier in history]),
        appendix=(
            provenance.methods(report, source),
            provenance.provenance(report, source, origin, result.get("rows") or {}),
        ),
    )


def _subtitle(origin: Origin | None) -> str:
    if origin is None:
        return ""
    kind = "Final analysis" if origin.is_final else f"Interim analysis {origin.look}"
    return f"{origin.candidate} (candidate) against {origin.baseline} (baseline). {kind}, {moment(origin.computed_at)}."


def _sections(
    report: Report, source: Mapping[str, Any], origin: Origin | None, history: Sequence[Report]
) -> tuple[Section, ...]:
    sections: list[Section | None] = [preference.preference(report), analyses.stages(report)]
    if report.primary.n_ratings:
        sections += [
            outcomes.criteria(report, source.get("criterion_groups") or {}),
            outcomes.yes_no(report),
            outcomes.prompts(report, origin.texts if origin else {}),
            outcomes.slices(report),
            trust.trust(report),
        ]
    sections += [
        analyses.exclusions(report),
        analyses.planned(report, history, has_plan=origin is not None and "rated_elsewhere" not in source),
        next_steps.next_steps(report),
    ]
    return tuple(section for section in sections if section is not None)
