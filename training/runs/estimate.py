"""Estimate a run's time and memory from past runs on the same device and from arithmetic.

Pure functions. Time is modelled as `fixed + rate * work`, where work is parameters times tokens (a forward and a
backward pass are both proportional to it). The line through past runs is the Theil-Sen estimator, the median of all
slopes, so that one outlier has little effect. Memory is the sum of its parts, scaled by the median ratio of observed
to computed peaks. Every figure has a range, which is wider when fewer past runs are available.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from statistics import median
from typing import Any

from training.config import TrainingConfig

# The backward pass through a 4-bit base dequantises every weight again; measured ratios are 1.2 to 1.6.
_QLORA_COST = 1.3
# Generating one token of an answer, for all sample prompts together, takes as long as training on
# `_WRITING_COST` tokens (measured on a CPU, where a base that does not stop generates half as much again as
# expected). `_ANSWER_SHARE` is the answer's share of a row, used where only the row's length is known.
_WRITING_COST, _ANSWER_SHARE = 90.0, 0.25
_STARTUP_SECONDS = 20.0
# Sustained FLOP/s (fast, slow) of a few CPU cores and of one data-centre GPU: only for a first guess.
_RATES = {"cpu": (1e11, 5e9), "cuda": (3e14, 1.5e13)}
_PROCESS_BYTES = {"cpu": 0.6e9, "cuda": 0.8e9}


@dataclass(frozen=True)
class Shape:
    """A base model: `parameters` in total; `hidden`, `layers` and `vocabulary` from its configuration."""

    parameters: int
    layers: int
    hidden: int
    vocabulary: int


@dataclass(frozen=True)
class Plan:
    """The size of a run: `tokens` is the mean row, `longest` the longest row, both in tokens of the base model."""

    shape: Shape
    config: TrainingConfig
    train_rows: int
    validation_rows: int
    tokens: float
    longest: float

    @property
    def steps(self) -> int:
        per_step = self.config.rows_per_step
        return max(1, math.ceil(self.config.epochs * math.ceil(self.train_rows / per_step)))

    @property
    def work(self) -> float:
        """Parameters times tokens on one device. A validated token costs half of a trained one (no backward pass).
        The answers to the sample prompts at each validation are generated token by token."""
        config = self.config
        trained = self.steps * config.rows_per_step * self.tokens
        every = config.evaluate_every or max(1, round(self.steps / config.epochs))
        validations = 1 + math.ceil(self.steps / every)
        cost = _QLORA_COST if config.method == "qlora" else 1.0
        validated = validations * self.validation_rows * self.tokens
        written = validations * _ANSWER_SHARE * self.tokens * _WRITING_COST if config.sample_prompts else 0.0
        return self.shape.parameters * ((trained + validated / 2) * cost / config.devices + written)


@dataclass(frozen=True)
class PastRun:
    """One finished run of this installation; `seconds` from start to end, `peak_bytes` as reported by the run."""

    plan: Plan
    device: str
    seconds: float
    peak_bytes: int | None


@dataclass(frozen=True)
class Range:
    """A figure with its lower and upper bounds."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Estimate:
    """`seconds` is None when no run has finished here; then `guesses` has (low, high) in seconds by device."""

    seconds: Range | None
    memory_bytes: Range
    cost: Range | None
    device: str
    runs: int
    basis: str
    guesses: dict[str, tuple[float, float]]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def estimate(plan: Plan, past: Sequence[PastRun], *, price_per_hour: float = 0.0) -> Estimate:
    """Estimate a run from past ones, newest first. All must have run on the device that the new run will use."""
    if not past:
        return _without_past(plan)
    device = past[0].device
    here = [run for run in past if run.device == device]
    alike, basis = _most_alike(plan, here)
    seconds = _limited(_time(plan, alike), plan.config)
    return Estimate(
        seconds=seconds,
        memory_bytes=_memory(plan, here, device),
        cost=_scaled(seconds, price_per_hour / 3600) if price_per_hour else None,
        device=device,
        runs=len(alike),
        basis=basis,
        guesses={},
    )


def _without_past(plan: Plan) -> Estimate:
    both = [computed_memory(plan, device) for device in _PROCESS_BYTES]
    return Estimate(
        seconds=None,
        memory_bytes=Range(max(both), min(both) / 1.6, max(both) * 1.6),
        cost=None,
        device="",
        runs=0,
        basis="No run has finished on this server yet, so this is a rough calculation.",
        guesses={
            device: (_STARTUP_SECONDS / 2 + 4 * plan.work / fast, 2 * _STARTUP_SECONDS + 4 * plan.work / slow)
            for device, (fast, slow) in _RATES.items()
        },
    )


def _most_alike(plan: Plan, past: Sequence[PastRun]) -> tuple[list[PastRun], str]:
    """The past runs to use: of the same base and method if there are any, else of the same base, else all."""
    same_base = [run for run in past if run.plan.shape == plan.shape]
    same = [run for run in same_base if run.plan.config.method == plan.config.method]
    for runs, what in (
        (same, "with this base model and method"),
        (same_base, "with this base model but another method"),
        (list(past), "with other base models"),
    ):
        if runs:
            number = "one past run" if len(runs) == 1 else f"{len(runs)} past runs"
            return runs, f"Based on {number} on this server {what}."
    raise ValueError("there is no past run")


def _time(plan: Plan, past: Sequence[PastRun]) -> Range:
    fixed, rate = line([(run.plan.work, run.seconds) for run in past])
    value = fixed + rate * plan.work
    errors = [abs(math.log(run.seconds / (fixed + rate * run.plan.work))) for run in past if run.seconds > 0]
    spread = max(_least_spread(plan, past), 2 * median(errors)) + _extrapolation(plan, past)
    return Range(value, value / math.exp(spread), value * math.exp(spread))


def line(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """(fixed, rate) of `seconds = fixed + rate * work`, neither negative. The slope is Theil-Sen's where the works
    differ enough to estimate it; otherwise the start-up is set to its usual time, at most a third."""
    works = [work for work, _ in points]
    if max(works) > 1.5 * min(works):
        slopes = [(t2 - t1) / (w2 - w1) for (w1, t1), (w2, t2) in combinations(points, 2) if w1 != w2]
        rate = max(0.0, median(slopes))
        fixed = median(seconds - rate * work for work, seconds in points)
        if rate > 0 and fixed >= 0:
            return fixed, rate
    typical = median(seconds for _, seconds in points)
    fixed = min(_STARTUP_SECONDS, typical / 3)
    return fixed, median(max(0.0, seconds - fixed) / work for work, seconds in points)


def _least_spread(plan: Plan, past: Sequence[PastRun]) -> float:
    """The smallest assumed error of the estimate, as a logarithm, for causes that past runs cannot show."""
    if any(run.plan.shape != plan.shape for run in past):
        return math.log(2.5)
    if any(run.plan.config.method != plan.config.method for run in past):
        return math.log(1.8)
    return math.log(1.6 if len(past) == 1 else 1.5 if len(past) < 5 else 1.3)


def _extrapolation(plan: Plan, past: Sequence[PastRun]) -> float:
    works = [run.plan.work for run in past]
    beyond = max(plan.work / max(works), min(works) / plan.work, 1.0)
    return 0.05 * math.log2(beyond)


def _memory(plan: Plan, past: Sequence[PastRun], device: str) -> Range:
    """The computed peak, scaled by the ratio of observed to computed peaks of past runs on the device."""
    computed = computed_memory(plan, device)
    measured = [run for run in past if run.peak_bytes]
    same = [run for run in measured if run.plan.shape == plan.shape] or measured
    ratios = [(run.peak_bytes or 0) / computed_memory(run.plan, device) for run in same]
    if not ratios:
        return Range(computed, computed / 1.6, computed * 1.6)
    ratio = median(ratios)
    least = 0.25 if same[0].plan.shape == plan.shape else 0.45
    spread = max(least, 2 * median(abs(math.log(each / ratio)) for each in ratios))
    return Range(computed * ratio, computed * ratio / math.exp(spread), computed * ratio * math.exp(spread))


def computed_memory(plan: Plan, device: str) -> float:
    """Peak bytes by arithmetic: weights, adapter with gradients and Adam's two moments, activations, logits.

    Activations are 34 bytes a hidden unit, layer and token at 16 bit (Korthikanti et al. 2022, table 2, without the
    attention scores, which are never stored); checkpointing is off.
    """
    shape, config = plan.shape, plan.config
    width = 2 if device == "cuda" else 4
    embeddings = min(shape.vocabulary * shape.hidden, shape.parameters)
    linear = shape.parameters - embeddings
    weights = embeddings * width + linear * (0.53 if config.method == "qlora" else width)
    longest = min(plan.longest, config.max_length)
    # Without padding, rows of any length share a batch with the longest one.
    others = plan.tokens if config.batching == "padding_free" else longest
    tokens = longest + (config.batch_size - 1) * others
    # fp32 weight and gradient, and Adam's two moments at 32 or 8 bit.
    adapter_bytes = 16 if config.optimizer == "adamw" else 10
    activations = tokens * shape.layers * shape.hidden * 17 * width
    logits = tokens * shape.vocabulary * 4
    return (
        weights
        + adapter_bytes * adapter_parameters(shape, config)
        + activations
        + logits
        + _PROCESS_BYTES[device]
    )


def adapter_parameters(shape: Shape, config: TrainingConfig) -> float:
    """Weights of an adapter on every linear layer: r for each row and column, seven matrices a layer. The
    feed-forward width is derived from the layer's parameters that remain after attention."""
    per_layer = max(0.0, shape.parameters - shape.vocabulary * shape.hidden) / max(1, shape.layers)
    attention = 2.5 * shape.hidden**2
    inner = max(shape.hidden, (per_layer - attention) / (3 * shape.hidden)) if shape.hidden else 0
    return config.lora_r * shape.layers * (6.5 * shape.hidden + 3 * (shape.hidden + inner))


def _limited(seconds: Range, config: TrainingConfig) -> Range:
    limit = config.max_hours * 3600
    return Range(*(min(each, limit) for each in asdict(seconds).values())) if limit else seconds


def _scaled(figure: Range, factor: float) -> Range:
    return Range(figure.value * factor, figure.low * factor, figure.high * factor)
