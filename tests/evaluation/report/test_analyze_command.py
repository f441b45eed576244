"""`manage.py analyze`: bad input is named, and analysed only on request."""

import json
from io import StringIO

import numpy as np
import pytest
from django.core.management import CommandError, call_command


def _command(file, *options):
    out = StringIO()
    call_command("analyze", str(file), *options, stdout=out)
    return out.getvalue()


def test_bad_rows_are_refused_with_lines_and_analysed_only_on_request(tmp_path):
    file = tmp_path / "ratings.csv"
    header = "prompt_id,reviewer_id,preference,candidate_side\n"
    good = "".join(f"p{i},r{i % 4},win,left\n" for i in range(12))
    file.write_text(header + good + "p1,r1,win,left\np99,r1,better,left\n")
    with pytest.raises(CommandError, match="2 of 14 rows cannot be used") as refused:
        _command(file)
    assert "line 14: reviewer 'r1' already rated prompt 'p1' on line 3" in str(refused.value)
    assert "line 15: preference must be one of" in str(refused.value)
    found = json.loads(_command(file, "--skip-bad-rows", "--json", "--bad-rows", str(tmp_path / "bad.csv")))
    assert found["rows"]["used"] == 12
    assert found["cautions"][0]["code"] == "rows_skipped"
    listed = (tmp_path / "bad.csv").read_text().splitlines()
    assert listed[0] == "line,reason" and len(listed) == 3


def test_what_cannot_be_read_is_said_in_one_line(tmp_path):
    workbook = tmp_path / "ratings.xlsx"
    workbook.write_bytes(b"PK\x03\x04rest")
    with pytest.raises(CommandError, match="a ZIP archive or a spreadsheet"):
        _command(workbook)
    with pytest.raises(CommandError, match="cannot be read"):
        _command(tmp_path / "missing.csv")
    file = tmp_path / "ratings.jsonl"
    file.write_text('{"prompt_id": 1, "reviewer_id": 1, "preference": "win", "candidate_side": "left"}\n')
    with pytest.raises(CommandError, match="lowest score"):
        _command(file, "--scores", "5", "5")
    assert "inconclusive" in _command(file)


def test_a_reviewer_who_always_picks_a_side_is_flagged_by_name(tmp_path):
    file = tmp_path / "ratings.csv"
    rng = np.random.default_rng(0)
    rows = ["prompt_id,reviewer_id,preference,candidate_side"]
    for p in range(40):
        for r in range(4):
            side = "left" if rng.random() < 0.5 else "right"
            won = rng.random() < 0.6 if r else side == "left"
            rows.append(f"p{p},r{r},{'win' if won else 'loss'},{side}")
    file.write_text("\n".join(rows))
    found = json.loads(_command(file, "--json"))
    sticking = [one for one in found["quality"]["flagged"] if one["flags"][0]["code"] == "side_sticking"]
    assert [one["reviewer"] for one in sticking] == ["r0"]


def test_an_open_result_says_how_to_go_on_and_what_that_costs(tmp_path):
    file = tmp_path / "ratings.csv"
    rows = "".join(f"p{i},r{i % 8},{('win', 'loss')[i % 2]},left\n" for i in range(40))
    file.write_text("prompt_id,reviewer_id,preference,candidate_side\n" + rows)
    said = _command(file)
    assert "inconclusive" in said and "Do not add ratings to this one and test again" in said
    assert "Plan a new campaign, or stop here: " in said and "analyse that file alone" in said
    assert "in up to 9.8 % of cases" in said.replace("\N{NO-BREAK SPACE}", " ")
