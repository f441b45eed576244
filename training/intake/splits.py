"""Assign rows to splits in constant memory, using a scratch SQLite file.

Related rows always share a split: rows of one group, and rows with the same prompt (equal instruction and input),
because a model trained on the answer would only have to recite it. Related rows form a *unit*. Units are assigned in
the order of a hash, so that the same rows always get the same splits and a longer version of a dataset moves few
rows.
"""

import hashlib
import json
import sqlite3
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from training.intake.conversations import prompt_parts

_BATCH = 2000
_encode = json.JSONEncoder(ensure_ascii=False).encode
_SCHEMA = """
CREATE TABLE ids (hash INTEGER PRIMARY KEY, line INTEGER NOT NULL);
CREATE TABLE rows (
    n INTEGER PRIMARY KEY, line INTEGER NOT NULL, prompt INTEGER NOT NULL, grp INTEGER, draw INTEGER NOT NULL,
    asked TEXT, unit INTEGER NOT NULL
);
CREATE TABLE units (unit INTEGER PRIMARY KEY, draw INTEGER NOT NULL, size INTEGER NOT NULL, asked TEXT, split TEXT);
CREATE TABLE dealt (unit INTEGER PRIMARY KEY, split TEXT NOT NULL);
"""


class Index:
    """Ids, prompts, groups and hash draws of the rows read so far. Memory: 4 bytes a row while assigning splits, none
    before."""

    def __init__(self, file: Path) -> None:
        self._base = sqlite3.connect(file, isolation_level=None)
        # This scratch file is discarded after a crash, so it needs no durability.
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-32000", "temp_store=FILE"):
            self._base.execute(f"PRAGMA {pragma}")
        self._base.executescript(_SCHEMA)
        self._base.execute("BEGIN")
        self._waiting: list[tuple[Any, ...]] = []
        self.size = 0

    def close(self) -> None:
        self._base.close()

    def setdefault(self, identity: str, line: int, /) -> int:
        """The line on which this id was first used."""
        key = _hash(identity)
        if self._base.execute("INSERT OR IGNORE INTO ids VALUES (?, ?)", (key, line)).rowcount:
            return line
        found: int = self._base.execute("SELECT line FROM ids WHERE hash = ?", (key,)).fetchone()[0]
        return found

    def add(self, line: int, example: dict[str, Any], *, asked: str, group: str) -> None:
        draw = _hash("group " + group if group else example["id"])
        row = (
            *(self.size, line, prompt_hash(example), _hash(group) if group else None, draw),
            *(asked or None, self.size),
        )
        self.size += 1
        self._waiting.append(row)
        if len(self._waiting) >= _BATCH:
            self._write()

    def _write(self) -> None:
        self._base.executemany("INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?, ?)", self._waiting)
        self._waiting.clear()

    def link(self) -> None:
        """Find the units; call once, after the last row."""
        self._write()
        parent = array("i", range(self.size))
        for column in ("grp", "prompt"):
            last_key, last_row = None, 0
            found = self._base.execute(
                f"SELECT n, {column} FROM rows WHERE {column} IS NOT NULL ORDER BY {column}, n"  # noqa: S608
            )
            for row, key in found:
                if key == last_key:
                    _join(parent, last_row, row)
                last_key, last_row = key, row
        for batch in _batches((_root(parent, row), row) for row in range(self.size) if parent[row] != row):
            self._base.executemany("UPDATE rows SET unit = ? WHERE n = ?", batch)

    def contradictions(self) -> Iterator[tuple[int, int, str, str]]:
        """Rows that request another split than an earlier row of their unit: number and line of the row, its
        requested split, and the unit's split."""
        asked = "SELECT unit, asked, min(n) AS first FROM rows WHERE asked IS NOT NULL GROUP BY unit"
        yield from self._base.execute(
            f"SELECT rows.n, rows.line, rows.asked, units.asked FROM rows JOIN ({asked}) AS units USING (unit) "  # noqa: S608
            "WHERE rows.asked IS NOT NULL AND rows.asked <> units.asked ORDER BY rows.n"
        )

    def drop(self, rows: Iterable[int]) -> None:
        for batch in _batches((row,) for row in rows):
            self._base.executemany("DELETE FROM rows WHERE n = ?", batch)

    def deal(self, validation_share: float, test_share: float) -> None:
        """Assign a split to every unit: the requested one, or one by its draw. Validation is filled first, then test,
        each to exactly its share of the free rows as far as units allow. A unit that no longer fits goes to training.
        """
        self._base.execute(
            "INSERT INTO units SELECT unit, min(draw), count(*), min(asked), min(asked) FROM rows GROUP BY unit"
        )
        free = "FROM units WHERE asked IS NULL"
        total = self._base.execute(f"SELECT coalesce(sum(size), 0) {free}").fetchone()[0]
        wanted = {"validation": round(total * validation_share), "test": round(total * test_share)}
        left = dict(wanted)
        reading = self._base.execute(f"SELECT unit, size {free} ORDER BY draw, unit")
        dealt = _deal(reading, left)
        for batch in _batches(dealt):
            self._base.executemany("INSERT INTO dealt VALUES (?, ?)", batch)
        self._base.execute(
            "UPDATE units SET split = coalesce(asked, (SELECT split FROM dealt WHERE dealt.unit = units.unit), 'train')"
        )
        for split in ("validation", "test"):
            if wanted[split] and left[split] == wanted[split]:
                self._give_smallest(split)

    def _give_smallest(self, split: str) -> None:
        """If every unit exceeds the share, use the smallest, provided that another one is left for training."""
        free = "FROM units WHERE asked IS NULL AND split = 'train'"
        if self._base.execute(f"SELECT count(*) {free}").fetchone()[0] > 1:
            self._base.execute(
                f"UPDATE units SET split = ? WHERE unit = (SELECT unit {free} ORDER BY size, draw, unit LIMIT 1)",  # noqa: S608
                (split,),
            )

    def splits(self) -> Iterator[tuple[int, str]]:
        """Number and split of every row that was not dropped, in file order."""
        yield from self._base.execute("SELECT n, split FROM rows JOIN units USING (unit) ORDER BY n")

    def facts(self) -> dict[str, int]:
        """The number of rows with a repeated prompt, and the number of groups."""
        repeated, groups = self._base.execute(
            "SELECT count(*) - count(DISTINCT prompt), count(DISTINCT grp) FROM rows"
        ).fetchone()
        return {"repeated_prompts": repeated, "groups": groups}


def _deal(units: Iterable[tuple[int, int]], left: dict[str, int]) -> Iterator[tuple[int, str]]:
    for unit, size in units:
        split = next((name for name, room in left.items() if size <= room), None)
        if split:
            left[split] -= size
            yield unit, split
        if not any(left.values()):
            return


def prompt_hash(example: dict[str, Any]) -> int:
    """A hash of the prompt. Key order is part of it, because it is part of the text used for training."""
    return _hash(_encode(prompt_parts(example)))


def _hash(text: str) -> int:
    """63 bits, because SQLite's integers are signed. With ten million rows, one file in 200,000 has a collision."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def _root(parent: "array[int]", row: int) -> int:
    while parent[row] != row:
        parent[row] = parent[parent[row]]
        row = parent[row]
    return row


def _join(parent: "array[int]", one: int, other: int) -> None:
    one, other = _root(parent, one), _root(parent, other)
    parent[max(one, other)] = min(one, other)


def _batches(items: Iterable[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    batch = []
    for item in items:
        batch.append(item)
        if len(batch) >= _BATCH:
            yield batch
            batch = []
    yield batch
