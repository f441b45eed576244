"""What a run will take: close where past runs are alike, wide where they are not, silent where there are none."""

import math
import random
from dataclasses import replace

import pytest

from training.config import TrainingConfig
from training.runs.estimate import PastRun, Plan, Shape, adapter_parameters, computed_memory, estimate, line

TINY = Shape(parameters=2_000_000, layers=4, hidden=192, vocabulary=2048)
QWEN = Shape(parameters=1_543_714_304, layers=28, hidden=1536, vocabulary=151_936)


def plan(rows=1000, shape=TINY, tokens=200.0, **config):
    return Plan(shape, TrainingConfig(**config), rows, 100, tokens, 2 * tokens)


def past(made, seconds, device="cpu", peak=None):
    return PastRun(made, device, seconds, peak)


def truth(made):
    """A machine: 12 s to start, then so many parameter-tokens a second."""
    return 12 + made.work / 6e9


def test_answers_along_the_way_count_where_validations_are_frequent():
    """As measured: of a toy's run with a validation every ten steps, the answers took about a third."""

    def share(rows, tokens, **config):
        silent, asking = (
            replace(plan(rows, tokens=tokens, sample_prompts=number, **config), validation_rows=16).work
            for number in (0, 3)
        )
        return (asking - silent) / asking

    assert 0.2 < share(128, 263.0, epochs=6, batch_size=4, evaluate_every=10) < 0.4
    assert share(2700, 1030.0, epochs=3, batch_size=16) < 0.01


def test_the_line_is_found_again_and_one_odd_run_does_not_bend_it():
    points = [(work, 12 + 3 * work) for work in (1.0, 2.0, 5.0, 9.0, 20.0)]
    assert line(points) == pytest.approx((12, 3))
    assert line([*points, (10.0, 4000.0)]) == pytest.approx((12, 3), rel=0.1)


def test_of_runs_of_one_size_the_start_takes_at_most_a_third():
    assert line([(10.0, 30.0)]) == (10.0, 2.0)
    assert line([(10.0, 3000.0)])[0] == 20


@pytest.mark.parametrize("rows", [300, 2700, 20_000])
def test_an_estimate_from_runs_like_it_is_close_and_its_range_holds_the_truth(rows):
    noise = random.Random(4)
    runs = [past(p, truth(p) * noise.uniform(0.95, 1.05)) for p in map(plan, (400, 900, 1500, 2700, 5000))]
    wanted = plan(rows)
    found = estimate(wanted, runs)
    assert found.seconds is not None
    assert found.seconds.value == pytest.approx(truth(wanted), rel=0.15)
    assert found.seconds.low < truth(wanted) < found.seconds.high
    assert found.runs == 5 and "5 past runs" in found.basis and "this base model and method" in found.basis


def test_the_range_is_wider_the_less_the_past_runs_are_like_it():
    def width(*runs):
        seconds = estimate(plan(), runs).seconds
        assert seconds is not None
        return seconds.high / seconds.low

    many = [past(p, truth(p)) for p in map(plan, (400, 900, 1500, 2700, 5000))]
    one = [past(plan(), truth(plan()))]
    method = [past(plan(method="lora"), 60.0)]
    stranger = [past(plan(shape=QWEN), 600.0)]
    assert width(*many) < width(*one) < width(*method) < width(*stranger)


def test_without_a_past_run_it_says_so_and_gives_no_time():
    found = estimate(plan(), [], price_per_hour=2)
    assert found.seconds is None and found.cost is None
    assert found.seconds is None and "rough" in found.basis
    assert all(low < high for low, high in found.guesses.values())


def test_runs_on_another_device_than_the_newest_are_left_out():
    runs = [past(plan(), 10.0, "cuda"), past(plan(), 1000.0, "cpu"), past(plan(), 1000.0, "cpu")]
    found = estimate(plan(), runs)
    assert (found.device, found.runs) == ("cuda", 1)
    assert found.seconds is not None and found.seconds.value == pytest.approx(10)


def test_cost_is_the_price_of_the_time():
    found = estimate(plan(), [past(plan(), 1800.0)], price_per_hour=3.0)
    assert found.cost is not None and found.seconds is not None
    assert found.cost.value == pytest.approx(found.seconds.value / 3600 * 3)
    assert estimate(plan(), [past(plan(), 1800.0)]).cost is None


def test_memory_is_scaled_by_what_past_runs_needed():
    needed = int(3 * computed_memory(plan(), "cpu"))
    found = estimate(plan(batch_size=16), [past(plan(), 60, peak=needed)])
    assert found.memory_bytes.value == pytest.approx(3 * computed_memory(plan(batch_size=16), "cpu"))
    assert found.memory_bytes.low < found.memory_bytes.value < found.memory_bytes.high


def test_the_arithmetic_has_the_right_size_for_the_reference_model():
    """Qwen2.5-1.5B has 18.5 million LoRA weights at rank 16 on all linear layers, and 3.1 GB of weights at 16 bit."""
    assert adapter_parameters(QWEN, TrainingConfig(lora_r=16)) == pytest.approx(18.5e6, rel=0.1)
    small = plan(shape=QWEN, tokens=1, method="lora", batch_size=1)
    assert computed_memory(small, "cuda") == pytest.approx(3.1e9 + 0.3e9 + 0.8e9, rel=0.1)
    assert computed_memory(plan(shape=QWEN, tokens=1, batch_size=1), "cuda") < 2.8e9


@pytest.mark.parametrize(
    ("more", "less"),
    [
        ({"batch_size": 16}, {"batch_size": 1}),
        ({"method": "lora"}, {"method": "qlora"}),
        ({"lora_r": 256}, {"lora_r": 1}),
    ],
)
def test_memory_grows_with_what_needs_it(more, less):
    assert computed_memory(plan(shape=QWEN, **more), "cuda") > computed_memory(
        plan(shape=QWEN, **less), "cuda"
    )


def test_more_epochs_and_validations_are_more_work():
    assert plan(epochs=2).work == pytest.approx(2 * plan().work, rel=0.1)
    assert plan(evaluate_every=5).work > plan().work
    assert math.isfinite(plan(rows=1, epochs=0.01).work)
