"""The sentences of a comparison: its result, its cautions, and how it was made."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from evaluation.comparison.document import (
    Caution,
    Curve,
    Fact,
    Figure,
    Latency,
    Model,
    Provenance,
    Training,
    Unmeasured,
)
from ftplatform.text.numbers import DASH, count, decimal, percent
from ftplatform.text.values import plain, words

_KINDS = {
    "base": "base model",
    "adapter": "adapter",
    "merged": "merged model",
    "external": "external system",
}
_NAMED = 10


def headline(metrics: Iterable[Figure]) -> str:
    """One sentence that summarises the automatic checks of correctness."""
    by_name = {each.name: each for each in metrics}
    shown = next((by_name[name] for name in ("score", "passed", "likeness") if name in by_name), None)
    if shown is None:
        return "No prompt has an expected output, so only reviewers can judge these responses."
    text = shown.text
    sentence = f"{shown.label}: {text.baseline} → {text.candidate} ({text.difference}"
    sentence += f"; 95 % interval {text.interval})" if text.interval != DASH else ")"
    if shown.stored["better"] == "none":
        return f"{sentence}, over {count(shown.n)} prompts. Likeness to one wording is no measure of quality."
    up, down = count(shown.stored["up"]), count(shown.stored["down"])
    return f"{sentence}; better on {up} of {count(shown.n)} prompts, worse on {down}."


def latency_trap(metrics: Iterable[Figure], latency: Latency) -> str:
    """A caution against reading a latency difference as "faster": it contrasts time per response with time per token.

    Empty if both point the same way.
    """
    by_name = {each.name: each for each in metrics}
    alone, stored = ("total_ms", "token_ms"), ("latency_ms", "ms_per_token")
    # A time inside a batch depends on the other responses in it, so it says nothing about either model.
    for whole, each in (alone,) if latency.kind == "batched" else (alone, stored):
        if whole in by_name and each in by_name:
            return trap(by_name[whole].stored["relative_change"], by_name[each].stored["relative_change"])
    return ""


def trap(response: float | None, token: float | None) -> str:
    """The caution for relative changes of the time per response (`response`) and per output token (`token`)."""
    if response is None or token is None or response * token >= 0:
        return ""
    factor = 1 + token
    if response < 0:
        return (
            f"A response takes {percent(-response)} less time because it is shorter. Per token the candidate is "
            f"{decimal(factor)} times as slow: the model has not become faster."
        )
    return (
        f"A response takes {percent(response)} more time because it is longer. Per token the candidate is "
        f"{decimal(1 / factor) if factor else DASH} times as fast."
    )


def cautions(provenance: Provenance, *, trap: str = "", whole: bool = True) -> tuple[Caution, ...]:
    """Cautions to read before using the figures. `whole` is false for the document of one prompt."""
    named = []
    if trap:
        named.append(Caution("latency_trap", "caution", "Shorter is not faster", trap))
    if whole and provenance.left_out:
        named.append(Caution("left_out", "caution", "Prompts left out", _left_out(provenance.left_out)))
    named += endpoint_cautions(provenance.facts, provenance.latency.unmeasured)
    for check in provenance.leakage:
        if check.exact or check.near:
            text = (
                f"{_prompts(check.exact)} in the training split of {check.dataset}, and {count(check.near)} are "
                f"near-duplicates; a model may have memorised them. Reason for using them: {check.reason}"
            )
            named.append(Caution("leakage", "caution", "Prompts from the training data", text))
    if provenance.candidate_model.toy:
        text = "This tiny model is for trials only. Its figures say nothing about real models."
        named.append(Caution("toy", "caution", "Toy model", text))
    if provenance.comparison.imported:
        text = (
            "The responses were generated elsewhere. Tokens and times come from the imported file; how they were "
            "measured is not known."
        )
        named.append(Caution("imported", "info", "Imported", text))
    return tuple(named)


def endpoint_cautions(facts: Mapping[str, Any], unmeasured: Unmeasured | None = None) -> list[Caution]:
    """What an endpoint did not tell about itself. `facts` are those that the worker reported."""
    warnings = facts.get("warnings", ())
    named = [Caution("models_not_checked", "caution", "Models not checked", text) for text in warnings]
    if unmeasured:
        named.append(Caution("unmeasured", "caution", "Latencies not measured", _unmeasured(unmeasured)))
    return named


def _unmeasured(unmeasured: Unmeasured) -> str:
    sentences = []
    if unmeasured.missing:
        sentences.append(
            f"{count(unmeasured.missing)} of {count(unmeasured.planned)} latencies could not be measured:"
        )
        sentences += [
            f"{reason.rstrip('.')} ({'once' if number == 1 else f'{count(number)} times'})."
            for reason, number in unmeasured.reasons
        ]
    if unmeasured.uncounted:
        sentences.append(
            f"{count(unmeasured.uncounted)} have no time per token, because the endpoint did not count the tokens."
        )
    return " ".join(sentences)


def _prompts(number: int) -> str:
    return "1 prompt is" if number == 1 else f"{count(number)} prompts are"


def _left_out(left_out: Mapping[str, Any]) -> str:
    """Which prompts are missing from the comparison, and how many responses of each model."""
    keys = ", ".join(left_out["first"][:_NAMED]) + (" and more" if left_out["prompts"] > _NAMED else "")
    owed = ", ".join(f"{name} {count(number)}" for name, number in left_out["unanswered"].items())
    return (
        f"{count(left_out['prompts'])} of {count(left_out['of'])} prompts are not compared, because not every model "
        f"answered them: {keys}. Missing responses: {owed}. Prompts that are hard to answer may differ from the rest, "
        "so the figures hold for the answered prompts only."
    )


def facts(provenance: Provenance) -> tuple[Fact, ...]:
    """How the comparison was run, as terms and values."""
    prompts = provenance.prompt_set
    engine = {"local": "this site's workers", "import": "none: imported pairs"}
    return (
        Fact("Baseline", _model(provenance.baseline_model)),
        Fact("Candidate", _model(provenance.candidate_model)),
        Fact("Prompt set", f"{prompts.name}, {prompts.source}" if prompts.source else prompts.name),
        Fact("Engine", engine.get(provenance.engine, provenance.engine)),
        *_parameters(provenance.facts.get("parameters") or {}),
        *(Fact(_term(name), plain(value)) for name, value in provenance.decoding.items()),
        *(_training(provenance.training) if provenance.training else ()),
        *([Fact("Figures from", moment(provenance.made_at))] if provenance.made_at else []),
    )


def _parameters(parameters: Mapping[str, str]) -> list[Fact]:
    """How the requests to an endpoint differed from the usual ones."""
    texts = [f"{each} as {name}" if name else f"no {each}" for each, name in sorted(parameters.items())]
    return [Fact("Request parameters", ", ".join(texts))] if texts else []


def moment(iso: str) -> str:
    """Format an ISO 8601 time in UTC, to the minute."""
    return f"{iso[:16].replace('T', ' ')} UTC"


def _term(name: str) -> str:
    term = words(name)
    return term[:1].upper() + term[1:]


def _model(model: Model) -> str:
    described = f"{model.name} ({_KINDS.get(model.kind, words(model.kind))})"
    return f"{described}, {model.path}" if model.path else described


def _training(training: Training) -> list[Fact]:
    rows = f"{count(training.train_rows)} training rows, {count(training.validation_rows)} validation rows"
    named = [Fact("Training dataset", f"{training.dataset} ({rows})")]
    if training.minutes is not None:
        named.append(Fact("Training duration", f"{decimal(training.minutes, 1)} minutes"))
    return [*named, *map(_curve, training.curves)]


def _curve(curve: Curve) -> Fact:
    text = f"loss {decimal(curve.loss[0])} → {decimal(curve.loss[1])}"
    if None not in curve.token_accuracy:
        text += f", token accuracy {_shares(curve.token_accuracy)}"
    return Fact(curve.split, text)


def _shares(shares: Sequence[float | None]) -> str:
    return " → ".join(percent(share, 1) for share in shares)
