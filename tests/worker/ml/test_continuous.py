"""The batch that is cut and joined writes what `generate` writes, and luck belongs to the prompt."""

import random
from collections import Counter

import pytest
import torch
from peft import PeftModel
from scipy import stats
from transformers import GenerationConfig

from tests.worker.ml.conftest import BASE
from training.config import DecodingConfig
from worker.ml.chat import prompt_messages
from worker.ml.continuous import Limits, Row, Writer
from worker.ml.data import prompt_ids
from worker.ml.models import inspect_base, load_base, load_tokenizer, stop_ids
from worker.ml.protocol import Cancelled
from worker.ml.sampling import Sampler, stream
from worker.ml.sides import Prompt, Sides

LONGEST = 40


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer(BASE, embedding_rows=inspect_base(BASE)["vocab"])


@pytest.fixture(scope="module")
def ends(tokenizer):
    return frozenset(stop_ids(tokenizer, BASE))


@pytest.fixture(scope="module", params=["nf4", "none"])
def model(request, trained):
    base = load_base(BASE, quantisation=request.param, device="cpu")
    return PeftModel.from_pretrained(base, trained[0], adapter_name="tuned").eval()


@pytest.fixture(scope="module")
def prompts(tokenizer, cases):
    """Prompts of very different lengths, so that padding and joining have something to do."""
    rows = [prompt_ids(tokenizer, prompt_messages(row["instruction"], row["input"])) for row in cases[32:42]]
    return [ids[: 5 + 20 * number] if number % 3 else ids for number, ids in enumerate(rows)]


def generated(model, tokenizer, ends, ids):
    config = GenerationConfig(
        max_new_tokens=LONGEST,
        do_sample=False,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=sorted(ends),
    )
    model.generation_config = config
    with torch.no_grad():
        output = model.generate(input_ids=torch.tensor([ids]), generation_config=config)
    return output[0, len(ids) :].tolist()


def written(model, tokenizer, ends, prompts, *, width, sampler=None, seed=1, tick=lambda: None):
    limits = Limits(width, LONGEST, ends, tokenizer.pad_token_id)
    rows = [Row(number, ids, stream(seed, str(number), 0)) for number, ids in prompts]
    ended = [
        row
        for group in Writer(model, sampler or Sampler(0.0, 1.0), limits, tick).write(rows)
        for row in group
    ]
    return {row.name: row.tokens for row in ended}


@pytest.mark.parametrize("width", [1, 3, 10])
def test_its_tokens_are_those_of_generate_with_the_adapter_on_and_off(model, tokenizer, ends, prompts, width):
    for adapter_on in (True, False):
        if adapter_on:
            model.set_adapter("tuned")
            expected = {n: generated(model, tokenizer, ends, ids) for n, ids in enumerate(prompts)}
            found = written(model, tokenizer, ends, list(enumerate(prompts)), width=width)
        else:
            with model.disable_adapter():
                expected = {n: generated(model, tokenizer, ends, ids) for n, ids in enumerate(prompts)}
                found = written(model, tokenizer, ends, list(enumerate(prompts)), width=width)
        assert found == expected
        assert len({len(tokens) for tokens in found.values()}) > 1  # some ended early and made room


def test_a_sampled_text_depends_on_its_seed_and_not_on_its_neighbours(model, tokenizer, ends, prompts):
    sampler = Sampler(1.0, 0.95)
    numbered = list(enumerate(prompts))
    together = written(model, tokenizer, ends, numbered, width=10, sampler=sampler)
    in_turn = written(model, tokenizer, ends, numbered[::-1], width=3, sampler=sampler)
    rest = written(model, tokenizer, ends, numbered[4:], width=4, sampler=sampler)
    assert in_turn == together
    assert rest == {number: together[number] for number in rest}
    other = written(model, tokenizer, ends, numbered, width=10, sampler=sampler, seed=2)
    assert sum(other[number] != together[number] for number in together) > 5


def test_a_stop_is_obeyed_within_a_step(model, tokenizer, ends, prompts):
    steps = 0

    def tick():
        nonlocal steps
        steps += 1
        if steps == 4:
            raise Cancelled()

    with pytest.raises(Cancelled):
        written(model, tokenizer, ends, list(enumerate(prompts)), width=10, tick=tick)
    assert steps == 4


def test_every_row_says_when_it_began_and_ended_and_how_many_were_beside_it(model, tokenizer, ends, prompts):
    limits = Limits(4, LONGEST, ends, tokenizer.pad_token_id)
    rows = [Row(number, ids, random.Random(0)) for number, ids in enumerate(prompts)]
    ended = [row for group in Writer(model, Sampler(0, 1), limits, lambda: None).write(rows) for row in group]
    assert all(0 < row.started < row.first <= row.ended for row in ended)
    assert max(row.companions for row in ended) == 4


def test_an_adapter_is_on_for_its_own_model_only(model, tokenizer, ends, prompts, trained):
    """Two names for one adapter, and the base: the first two agree, the base differs."""
    base = load_base(BASE, quantisation="none", device="cpu")
    adapters = {"base": None, "a.b": trained[0], "c": trained[0]}
    adapters = {name.replace(".", "-"): folder for name, folder in adapters.items()}
    sides = Sides(base, tokenizer, set(ends), adapters, DecodingConfig(max_new_tokens=LONGEST, batch_size=4))
    texts: dict[str, dict[object, list[int]]] = {}
    for name in ("a-b", "base", "c", "base"):
        rows = [sides.row(Prompt(n, str(n), ids), 0) for n, ids in enumerate(prompts[:4])]
        for group in sides.write(name, rows, tick=lambda: None):
            for row in group:
                texts.setdefault(name, {})[row.name[0].prompt_id] = row.tokens
    assert texts["a-b"] == texts["c"] != texts["base"]


# --- sampling ----------------------------------------------------------------------------------------------


def drawn(probabilities, top_p=1.0, temperature=1.0, times=20_000):
    logits = torch.log(torch.tensor(probabilities)).expand(times, -1)
    rng = random.Random(5)
    uniform = torch.tensor([rng.random() for _ in range(times)], dtype=torch.float64)
    return Counter(Sampler(temperature, top_p).draw(logits, uniform).tolist())


def test_tokens_are_drawn_with_their_probabilities():
    probabilities = [0.1, 0.4, 0.05, 0.25, 0.2]
    counts = drawn(probabilities)
    observed = [counts[token] for token in range(5)]
    assert stats.chisquare(observed, [20_000 * p for p in probabilities]).pvalue > 0.001


def test_the_nucleus_is_the_smallest_set_that_reaches_top_p():
    counts = drawn([0.1, 0.4, 0.05, 0.25, 0.2], top_p=0.6)
    assert set(counts) == {1, 3}
    assert stats.chisquare([counts[1], counts[3]], [20_000 * 0.4 / 0.65, 20_000 * 0.25 / 0.65]).pvalue > 0.001
    assert set(drawn([0.1, 0.4, 0.05, 0.25, 0.2], top_p=0.01)) == {1}


def test_temperature_sharpens_and_flattens():
    sharp, flat = (drawn([0.6, 0.4], temperature=t)[0] / 20_000 for t in (0.5, 2.0))
    assert sharp == pytest.approx(0.36 / 0.52, abs=0.01)
    assert flat == pytest.approx(0.6**0.5 / (0.6**0.5 + 0.4**0.5), abs=0.01)


def test_the_edges_of_the_interval_choose_a_token():
    logits = torch.log(torch.tensor([[0.5, 0.5, 0.0]]))
    for uniform in (0.0, 1 - 2**-53):
        chosen = Sampler(1.0, 1.0).draw(logits, torch.tensor([uniform], dtype=torch.float64))
        assert int(chosen) in (0, 1)
