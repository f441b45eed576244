"""Near-duplicates across splits: planted ones are found, strangers are not, and the hashing is what it claims."""

import json
import random

import numpy as np
import pytest

from training.intake import near_duplicates as near

WORDS = [f"word{number}" for number in range(400)]


def text(draw, words=40):
    return " ".join(draw.choice(WORDS) for _ in range(words))


def edited(draw, original, changes):
    words = original.split()
    for place in draw.sample(range(len(words)), changes):
        words[place] = "other"
    return " ".join(words)


def write(folder, **splits):
    for name in ("train", "validation", "test"):
        rows = [
            {
                "id": f"{name}-{number}",
                "instruction": "Do the same long thing for every row.",
                "input": {"q": asked},
            }
            for number, asked in enumerate(splits.get(name, []))
        ]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return near.find(folder, {name: len(splits.get(name, [])) for name in ("train", "validation", "test")})


def test_planted_near_duplicates_are_found_and_strangers_are_not(tmp_path):
    draw = random.Random(20)
    held = [text(draw) for _ in range(60)]
    planted = [edited(draw, original, 1) for original in held[:20]]
    strangers = [text(draw) for _ in range(2000)]
    found = write(tmp_path, train=strangers[:1000] + planted + strangers[1000:], test=held)
    assert found["rows"] == 20
    assert {example["id"] for example in found["examples"]} == {f"test-{number}" for number in range(20)}
    assert all(example["similarity"] >= near.THRESHOLD for example in found["examples"])


def test_a_half_changed_row_is_no_near_duplicate(tmp_path):
    draw = random.Random(20)
    held = [text(draw) for _ in range(30)]
    assert write(tmp_path, train=[edited(draw, row, 12) for row in held], validation=held)["rows"] == 0


def test_capitals_and_punctuation_do_not_hide_a_duplicate(tmp_path):
    assert write(tmp_path, train=["Where is my card?"], test=["where is my card"])["rows"] == 1


def test_rows_that_share_their_instruction_only_are_not_alike(tmp_path):
    assert write(tmp_path, train=["lost card"], test=["top up failed"])["rows"] == 0


@pytest.mark.parametrize("similar", [0.8, 0.5])
def test_bands_meet_as_often_as_theory_says(similar):
    """1 − (1 − s⁶)¹⁶ of pairs of similarity s share a band."""
    draw = np.random.default_rng(1)
    shared = round(200 * 2 * similar / (1 + similar))
    met = 0
    for _ in range(300):
        words = draw.choice(2**32, 400 - shared, replace=False).astype(np.uint64)
        one, other = np.unique(words[:200]), np.unique(words[200 - shared :])
        assert near.similarity(one, other) == pytest.approx(similar, abs=0.01)
        met += bool((near.band_keys(one) == near.band_keys(other)).any())
    expected = 1 - (1 - similar**6) ** 16
    assert met / 300 == pytest.approx(expected, abs=0.08)


def test_only_a_spread_of_many_rows_is_looked_at_and_the_figures_say_so(tmp_path, monkeypatch):
    monkeypatch.setattr(near, "_MAX_HELD_OUT", 10)
    monkeypatch.setattr(near, "_MAX_TRAIN", 100)
    draw = random.Random(20)
    found = write(tmp_path, train=[text(draw) for _ in range(250)], test=[text(draw) for _ in range(25)])
    assert found["checked"] <= 10
    assert 70 <= found["against"] <= 100
