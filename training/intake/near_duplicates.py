"""Find held-out rows that are nearly identical to a training row.

Texts are sets of three-word shingles. MinHash signatures (Broder 1997) of two sets agree at each position with
probability equal to their Jaccard similarity. 16 bands of 6 positions make candidates of 99 % of the pairs at 0.8 and
of 1 % of those at 0.3 (locality-sensitive hashing, Indyk and Motwani 1998). The exact similarity of each candidate is
computed, so there are no false reports. Only sampled held-out rows are kept in memory; training rows are streamed.
"""

import hashlib
import json
import re
import zlib
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.intake.conversations import prompt_parts, texts

THRESHOLD = 0.8
_BANDS, _PLACES = 16, 6
_MAX_HELD_OUT, _MAX_TRAIN = 4_000, 60_000
_MAX_WORDS = 2_000
_MAX_CANDIDATES = 20
_EXAMPLES = 20
_BATCH = 500
_WORD = re.compile(r"\w+")
_draw = np.random.default_rng(20)
# Multiply-shift hashing (Dietzfelbinger 1996): odd multipliers, upper half of the product.
_MULTIPLIERS = _draw.integers(1, 2**63, (_BANDS * _PLACES, 1), dtype=np.uint64) * np.uint64(2) + np.uint64(1)
_OFFSETS = _draw.integers(0, 2**63, (_BANDS * _PLACES, 1), dtype=np.uint64)
_MIX = _draw.integers(1, 2**63, 3, dtype=np.uint64) * np.uint64(2) + np.uint64(1)

Hashes = NDArray[np.uint64]


def shingles(text: str) -> Hashes:
    """The distinct hashes of the text's three-word shingles, sorted; at least one, at most 2,000."""
    words = _WORD.findall(text.lower())[:_MAX_WORDS]
    hashed = np.fromiter((zlib.crc32(word.encode(errors="replace")) for word in words), np.uint64, len(words))
    if len(words) < 3:
        # A short text is one shingle; zeros replace the missing words.
        hashed = np.concatenate([hashed, np.zeros(3 - len(words), np.uint64)])
    mixed = (hashed[:-2] * _MIX[0] + hashed[1:-1]) * _MIX[1] + hashed[2:] * _MIX[2]
    return np.unique(mixed >> np.uint64(32))


def band_keys(hashes: Hashes) -> Hashes:
    """One key for each band of the MinHash signature; two texts are compared if any of their keys are equal."""
    signature = ((hashes[np.newaxis, :] * _MULTIPLIERS + _OFFSETS) >> np.uint64(32)).min(axis=1)
    bands = signature.reshape(_BANDS, _PLACES)
    keys = [hashlib.blake2b(band.tobytes(), digest_size=8).digest() for band in bands]
    return np.frombuffer(b"".join(keys), np.uint64)


def similarity(one: Hashes, other: Hashes) -> float:
    """Jaccard similarity: shared shingles divided by all shingles, from 0 to 1."""
    shared = len(np.intersect1d(one, other, assume_unique=True))
    return shared / (len(one) + len(other) - shared)


def find(
    folder: Path, counts: dict[str, int], tell: Callable[[float], None] = lambda part: None
) -> dict[str, Any]:
    """Compare the held-out rows in `folder` with its training rows.

    Returns `rows` (held-out rows with a near-duplicate in training), `checked` and `against` (numbers of held-out and
    training rows compared; large files are sampled evenly), `threshold`, and `examples` of {split, id, train_id,
    similarity}.
    """
    held = _HeldOut(folder, counts)
    against = 0
    stride = max(1, -(-counts["train"] // _MAX_TRAIN))
    rows = islice(_rows(folder / "train.jsonl"), 0, None, stride)
    while held.waiting and (batch := list(islice(rows, _BATCH))):
        against += len(batch)
        tell(min(1.0, against * stride / max(counts["train"], 1)))
        held.compare(batch)
    return {
        "rows": held.found,
        "checked": held.size,
        "against": against if held.waiting else counts["train"],
        "threshold": THRESHOLD,
        "examples": sorted(held.examples, key=lambda example: -example["similarity"]),
    }


class _HeldOut:
    """The sampled rows of validation and test, by their band keys; a row is removed once a duplicate is found."""

    def __init__(self, folder: Path, counts: dict[str, int]) -> None:
        held = {split: counts[split] for split in ("validation", "test")}
        stride = max(1, -(-sum(held.values()) // _MAX_HELD_OUT))
        self._rows: list[tuple[str, str, str, Hashes]] = []
        keys = []
        for split in held:
            for example in islice(_rows(folder / f"{split}.jsonl"), 0, None, stride):
                task, hashes = asked(example)
                self._rows.append((split, example["id"], task, hashes))
                keys.append(band_keys(hashes))
        self.size = len(self._rows)
        table = np.array(keys, np.uint64).reshape(-1, _BANDS)
        self._order = [np.argsort(table[:, band], kind="stable") for band in range(_BANDS)]
        self._sorted = [table[order, band] for band, order in enumerate(self._order)]
        self._waits = np.ones(self.size, bool)
        self.found = 0
        self.examples: list[dict[str, Any]] = []

    @property
    def waiting(self) -> bool:
        return bool(self._waits.any())

    def compare(self, batch: list[dict[str, Any]]) -> None:
        found = [asked(example) for example in batch]
        keys = np.array([band_keys(hashes) for _, hashes in found], np.uint64).reshape(-1, _BANDS)
        ranges = [
            (np.searchsorted(known, keys[:, band]), np.searchsorted(known, keys[:, band], "right"))
            for band, known in enumerate(self._sorted)
        ]
        for number, (task, hashes) in enumerate(found):
            near: set[int] = set()
            for band, (first, last) in enumerate(ranges):
                places = self._order[band][first[number] : last[number]]
                near.update(places[self._waits[places]][:_MAX_CANDIDATES].tolist())
            for place in near:
                self._confirm(place, task, hashes, batch[number]["id"])

    def _confirm(self, place: int, task: str, hashes: Hashes, train_id: str) -> None:
        split, identity, own_task, own = self._rows[place]
        if task != own_task or (alike := similarity(hashes, own)) < THRESHOLD:
            return
        self._waits[place] = False
        self.found += 1
        if len(self.examples) < _EXAMPLES:
            example = {"split": split, "id": identity, "train_id": train_id, "similarity": round(alike, 3)}
            self.examples.append(example)


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def asked(example: dict[str, Any]) -> tuple[str, Hashes]:
    """The part that must be equal, and the part that may differ slightly: instruction and input, or the system turn
    and all other turns. Without an input, only the instruction is compared. If a long instruction shared by all rows
    were included, every two rows would seem similar."""
    instruction, given = prompt_parts(example)
    text = " ".join(texts(given))
    if not text.strip():
        return "", shingles(instruction)
    return instruction, shingles(text)
