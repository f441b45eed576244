"""The benchmark's scenario for a GPU, tried at a size that a processor manages: the very same code, a tiny shape."""

import math
import statistics

import pytest

from benchmarks import training
from benchmarks.training_speed.scenarios import reference_run
from worker.ml.chat import render_example
from worker.ml.models import load_tokenizer

TINY = {
    "vocab_size": 2048,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 1024,
}
TOKENS = 260


@pytest.fixture
def scenarios(tmp_path):
    # Ten steps: the first two are warm-up.
    return reference_run(tmp_path, TINY, rows=160, tokens=TOKENS)


def test_the_rows_are_as_long_as_asked(scenarios):
    lora, qlora = scenarios
    assert (lora.config["method"], qlora.config["method"]) == ("lora", "qlora")
    tokenizer = load_tokenizer(lora.base, embedding_rows=TINY["vocab_size"])
    lengths = [
        len(
            tokenizer("".join(render_example(tokenizer, row["instruction"], row["input"], row["output"])))[
                "input_ids"
            ]
        )
        for row in lora.rows
    ]
    assert statistics.mean(lengths) == pytest.approx(TOKENS, rel=0.05)
    assert lora.parameters is not None and 100_000 < lora.parameters < 1_000_000


@pytest.mark.slow
def test_the_scenario_for_a_gpu_runs_to_its_figures(scenarios, tmp_path, monkeypatch):
    monkeypatch.delitem(training.COMMANDS, "ours, same batches")
    monkeypatch.setitem(scenarios[1].config, "max_length", 1024)
    found = training.compare(scenarios[1], tmp_path / "runs", rounds=1, matmul_size=256)
    assert set(found) == {"bare TRL", "ours, default batches"}
    for figures in found.values():
        assert all(math.isfinite(value) and value >= 0 for value in figures.values())
        work = 4 * scenarios[1].parameters * figures["tokens_per_second"]
        assert figures["share"] == pytest.approx(work / figures["matmul_flop_per_second"]) and work > 0
        assert (
            figures["reference_run_minutes"] > training.REFERENCE_TOKENS / figures["tokens_per_second"] / 60
        )
        # Random weights: the loss is near that of a guess.
        assert figures["final_loss"] == pytest.approx(math.log(TINY["vocab_size"]), rel=0.1)
    assert found["bare TRL"]["speed_against_bare"] == 1
