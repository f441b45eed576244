"""Ratings as spreadsheets and other tools write them."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evaluation.stats.ratings import OUTCOMES
from evaluation.stats.ratings_file import FileError, Reading, read_ratings

VOTES = Path(__file__).parents[4] / "shared/data/mtbench/human.jsonl"
PLAIN = "prompt_id,reviewer_id,preference,candidate_side\np1,r1,win,left\np2,r1,tie,right\n"


def read(data, **reading):
    content = data if isinstance(data, bytes) else data.encode()
    return read_ratings(io.BytesIO(content), Reading(**reading))


def refusal(data, **reading):
    with pytest.raises(FileError) as refused:
        read(data, **reading)
    return refused.value.reason


def outcomes(found):
    return [OUTCOMES[code] for code in found.ratings.outcome]


def answers(*values, side="left"):
    rows = [f"p{number},r1,{value},{side}" for number, value in enumerate(values)]
    return "prompt_id,reviewer_id,preference,candidate_side\n" + "\n".join(rows) + "\n"


def test_our_own_export_with_a_comment_of_two_lines():
    text = (
        "prompt_id,reviewer_id,preference,candidate_side,good_baseline,good_candidate,simulated,answers,comment,"
        'active_ms,submitted_at\r\np1,r1,win,left,3.0,4.0,False,,"one\ntwo",9000,2026-01-01\r\n'
        "p2,r1,tie,right,3.0,4.0,False,,,9000,2026-01-01\r\n"
    )
    found = read(text)
    assert (found.n_rows, found.n_bad, outcomes(found)) == (2, 0, ["win", "tie"])
    assert found.ignored == ("answers", "comment", "submitted_at")


def test_a_file_saved_again_by_a_german_spreadsheet():
    text = (
        "prompt_id;reviewer_id;preference;candidate_side;good_baseline;good_candidate;simulated\r\n"
        "p1;r1;win;left;3,5;4;FALSCH\r\np2;r1;loss;left;3;4;WAHR\r\n;;;;;;\r\n"
    )
    found = read(text)
    assert (found.n_rows, found.n_bad, found.n_blank) == (2, 0, 1)
    np.testing.assert_array_equal(found.ratings.criteria["good"][0], [3.5, 3])
    assert found.ratings.n_simulated == 1


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("first", ["", "sep={}\n"])
def test_cells_are_separated_by_any_usual_sign(delimiter, first):
    found = read(first.format(delimiter) + PLAIN.replace(",", delimiter))
    assert outcomes(found) == ["win", "tie"]


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        *(("utf-8", "UTF-8"), ("utf-8-sig", "UTF-8"), ("cp1252", "Windows-1252"), ("utf-16", "UTF-16")),
        *(("utf-16-le", "UTF-16"), ("utf-16-be", "UTF-16"), ("utf-32", "UTF-32")),
    ],
)
def test_encodings_are_recognised(encoding, name):
    found = read(PLAIN.replace("r1", "Zoé").encode(encoding))
    assert (found.reviewer_labels, found.encoding, found.n_bad) == (("Zoé",), name, 0)


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_line_ends_and_blank_lines_in_any_place(ending):
    found = read(("\n" + PLAIN.replace("\np2", "\n\n  \n,,,\np2") + "\n\n").replace("\n", ending))
    assert (found.n_rows, found.n_bad) == (2, 0)
    assert found.n_blank == 5


def test_spare_cells_and_columns_without_a_name_are_dropped():
    found = read(",prompt_id,reviewer_id,preference,,\n0,p1,r1,win,,\n1,p2,r1,loss,,,,\n")
    assert (outcomes(found), found.ignored) == (["win", "loss"], ())
    assert not found.sides_known


def test_an_open_quote_costs_its_own_row_only():
    rows = "".join(f"q{number},r1,win,left\n" for number in range(20_000))
    found = read(PLAIN + 'bad,"r1,win,left\n' + rows)
    assert [(one.line, one.reason) for one in found.problems] == [
        (4, "the line has an unclosed or misplaced quote")
    ]
    assert len(found.ratings) == 20_002


@pytest.mark.parametrize(
    "values",
    [
        ("win", "tie", "both_bad", "loss"),
        ("Candidate", "Tie", "both bad", "baseline"),
        ("left", "TIE", "tie (bothbad)", "right"),
        ("A", "tie", "Both-Bad", "b"),
        ("model_a", "tie", "bothbad", "model_b"),
        ("A is better", "tie", "both bad", "B is better"),
    ],
)
def test_vocabularies(values):
    found = read(answers(*values))
    assert outcomes(found) == ["win", "tie", "both_bad", "loss"]


@pytest.mark.parametrize("values", [("1", "0", "-1"), ("+1", "0.0", "−1"), ("1.0", "0", "-1.0")])
def test_numbers_as_answers(values):
    assert outcomes(read(answers(*values))) == ["win", "tie", "loss"]


def test_zero_without_minus_one_is_refused_until_it_has_a_meaning():
    assert "0 may be a tie or a loss" in refusal(answers("1", "0", "1"))
    assert outcomes(read(answers("1", "0"), answers={"loss": "0", "win": "1"})) == ["win", "loss"]


def test_numbers_and_words_do_not_mix():
    found = read(answers("win", "1"))
    assert [one.reason for one in found.problems] == [
        "preference must be one of win, tie, both_bad, loss, not '1'"
    ]
    assert "1, 0, -1" in read(answers("1", "win")).problems[0].reason


def test_own_words_and_the_names_of_the_systems():
    found = read(
        answers("besser", "Kea 2", "Kea 1"), answers={"tie": "besser"}, candidate="Kea 2", baseline="Kea 1"
    )
    assert outcomes(found) == ["tie", "win", "loss"]


@pytest.mark.parametrize(("who", "expected"), [("candidate", ["win", "loss"]), ("baseline", ["loss", "win"])])
def test_left_is_one_system_throughout(who, expected):
    text = "prompt_id,reviewer_id,preference\np1,r1,left\np2,r1,right\n"
    assert "nothing says on which side" in refusal(text)
    found = read(text, left_is=who)
    assert outcomes(found) == expected and found.sides_known


def test_columns_are_mapped_and_missing_ones_named():
    text = "ticket,annotator,preference,topic,notes\nt1,Ann,win,billing,x\nt2,Ann,loss,billing,y\n"
    assert refusal(text).startswith("missing columns: prompt_id, reviewer_id. The file has ticket, annotator")
    mapped = {"prompt_id": "ticket", "reviewer_id": "annotator", "cluster": "topic"}
    found = read(text, columns=mapped)
    assert (found.prompt_labels, found.reviewer_labels) == (("t1", "t2"), ("Ann",))
    assert found.cluster is not None and found.cluster.labels == ("billing",)
    assert found.ignored == ("notes",)
    assert refusal(text, columns=mapped | {"slice_x": "nothing"}).startswith("there is no column 'nothing'")


def test_header_names_may_differ_in_case_and_spaces():
    assert outcomes(read("Prompt ID, Reviewer_ID ,Preference\np1,r1,Win\n")) == ["win"]


def test_columns_can_be_ignored():
    text = "prompt_id,reviewer_id,preference,text_baseline,text_candidate\np1,r1,win,Hi,Hello\n"
    assert read(text).n_bad == 1
    found = read(text, ignore=frozenset({"text_baseline", "text_candidate"}))
    assert (found.n_bad, found.ignored) == (0, ("text_baseline", "text_candidate"))


def test_scores_by_side_become_scores_by_system():
    text = "prompt_id,reviewer_id,preference,candidate_side,tone_left,tone_right\n"
    found = read(text + "p1,r1,left,left,8,3\np2,r1,left,right,8,3\np3,r1,tie,,8,3\n")
    baseline, candidate = found.ratings.criteria["tone"]
    np.testing.assert_array_equal(baseline, [3, 8, np.nan])
    np.testing.assert_array_equal(candidate, [8, 3, np.nan])
    assert found.side_known.tolist() == [True, True, False]


def test_ids_are_trimmed_and_in_one_unicode_form_and_close_names_reported():
    rows = " p1 ,Zoe\u0301,win\np1,Ann,win\np2,Zo\u00e9,win\np3, ANN ,win\np4,Ann  Lee,tie\np5,ann lee,tie\n"
    found = read("prompt_id,reviewer_id,preference\n" + rows)
    assert found.prompt_labels == ("p1", "p2", "p3", "p4", "p5")
    assert found.reviewer_labels == ("Zo\u00e9", "Ann", "ANN", "Ann  Lee", "ann lee")
    assert found.alike == (("Ann", "ANN"), ("Ann  Lee", "ann lee"))


def test_an_id_that_our_export_guards_against_formulas_is_the_same_id():
    assert read(answers("win").replace("p0", "'=1+1")).prompt_labels == ("=1+1",)


def test_parquet_and_a_json_list_give_the_same_as_csv():
    rows = list(csv.DictReader(io.StringIO(PLAIN)))
    target = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), target)
    for content in (target.getvalue(), json.dumps(rows, indent=2).encode()):
        assert outcomes(read(content)) == ["win", "tie"]
    assert refusal(b"PAR1" + b"x" * 100).endswith("cannot be read as one")
    assert refusal(b"PK\x03\x04x").startswith("it is a ZIP archive or a spreadsheet")
    assert refusal(json.dumps(rows)[:-5]) == "the JSON list is not valid from here on"
    assert refusal("[]") == "the file is empty"


# Exports of other tools.


def label_studio(selected, person=7, number=1, **changes):
    result = [{"from_name": "pw", "to_name": "a,b", "type": "pairwise", "value": {"selected": selected}}]
    annotation = {"completed_by": person, "result": result, "was_cancelled": False, "lead_time": 4.5}
    data = {"prompt": "Say hello.", "candidate_side": "right", "customer": "acme"}
    return {"id": number, "data": data, "annotations": [annotation | changes], "predictions": []}


def test_label_studio_json():
    tasks = [
        label_studio("left"),
        label_studio("right", number=2, person={"id": 8, "email": "ann@example.org"}),
        label_studio("right", number=3, was_cancelled=True),
    ]
    found = read(json.dumps(tasks), columns={"cluster": "customer"})
    assert (outcomes(found), found.n_bad) == (["loss", "win"], 0)
    assert (found.prompt_labels, found.reviewer_labels) == (("1", "2"), ("7", "ann@example.org"))
    assert found.active_ms is not None and found.active_ms[0] == 4500
    assert found.format == "JSON, Label Studio, JSON"
    assert found.cluster is not None and found.cluster.labels == ("acme",)


def test_label_studio_choices_with_own_words_and_ratings():
    result = [
        {"from_name": "which", "type": "choices", "value": {"choices": ["Second one"]}},
        {"from_name": "tone_baseline", "type": "rating", "value": {"rating": 2}},
        {"from_name": "tone_candidate", "type": "rating", "value": {"rating": 4}},
    ]
    found = read(json.dumps([label_studio("left", result=result)]), answers={"right": "Second one"})
    assert (outcomes(found), found.n_bad) == (["win"], 0)
    assert found.ratings.criteria["tone"][1].tolist() == [4]


def test_label_studio_csv():
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(
        ["annotation_id", "annotator", "created_at", "id", "lead_time", "pw", "prompt", "updated_at"]
    )
    rows.writerow([10, 7, "2026-01-01", 1, 3.5, '[{"selected": "left"}]', "Say\nhello", "2026-01-01"])
    found = read(text.getvalue(), left_is="baseline")
    assert (outcomes(found), found.prompt_labels, found.reviewer_labels) == (["loss"], ("1",), ("7",))


def arena(winner, number=1, **changes):
    row = {
        "question_id": f"q{number}",
        "model_a": "kea",
        "model_b": "moa",
        "winner": winner,
        "judge": "arena_user_1",
    }
    return row | {"language": "English"} | changes


def test_chatbot_arena_votes():
    rows = [
        arena("model_a"),
        arena("model_b", 2),
        arena("tie", 3),
        arena("tie (bothbad)", 4),
        arena("model_a", 5, model_b="tui"),
    ]
    text = "\n".join(json.dumps(row) for row in rows)
    assert refusal(text) == "it compares kea, moa, tui; name the baseline and the candidate"
    found = read(text, candidate="moa", baseline="kea")
    assert outcomes(found) == ["loss", "win", "tie", "both_bad"]
    assert (found.n_rows, found.n_other, found.ignored) == (4, 1, ("language",))
    assert found.ratings.candidate_left.tolist() == [False] * 4
    assert refusal(text, candidate="moa", baseline="emu").startswith("no row compares moa with emu")
    newer = [{**arena("both_bad"), "judge": "", "evaluation_session_id": "s1", "id": "x"}]
    assert read(json.dumps(newer), candidate="moa", baseline="kea").reviewer_labels == ("s1",)


@pytest.mark.parametrize(
    "shape",
    [
        {
            "responses": {
                "which": [{"value": "response1", "user_id": "u1"}, {"value": "response2", "user_id": "u2"}]
            }
        },
        {
            "responses": [
                {"values": {"which": {"value": "response1"}}, "user_id": "u1", "status": "submitted"},
                {"values": {"which": {"value": "response2"}}, "user_id": "u2", "status": "submitted"},
                {"values": {"which": {"value": "response2"}}, "user_id": "u3", "status": "discarded"},
            ]
        },
        {
            "which.responses": ["response1", "response2"],
            "which.responses.users": ["u1", "u2"],
            "which.responses.status": ["submitted", "submitted"],
        },
        {
            "responses": {
                "which": [
                    {
                        "value": [{"value": "response1", "rank": 1}, {"value": "response2", "rank": 2}],
                        "user_id": "u1",
                    },
                    {
                        "value": [{"value": "response1", "rank": 2}, {"value": "response2", "rank": 1}],
                        "user_id": "u2",
                    },
                ]
            }
        },
    ],
)
def test_argilla_records(shape):
    record = {
        "id": "rec-1",
        "fields": {"prompt": "Hi"},
        "metadata": {"candidate_side": "left"},
        "suggestions": {},
    }
    found = read(json.dumps([record | shape]))
    assert (outcomes(found), found.n_bad) == (["win", "loss"], 0)
    assert (found.prompt_labels, found.reviewer_labels) == (("rec-1",), ("u1", "u2"))


def feedback(group, session, score, **changes):
    source = {"type": "app", "user_id": "u1", "metadata": None}
    row = {
        "id": f"{group}{session}",
        "run_id": f"run-{group}-{session}",
        "session_id": session,
        "key": "better",
    }
    return row | {"score": score, "feedback_group_id": group, "feedback_source": source} | changes


def test_langsmith_feedback():
    rows = [
        feedback("g1", "exp-old", 0),
        feedback("g2", "exp-new", 1),
        feedback("g1", "exp-new", 1),
        feedback("g2", "exp-old", 1),
        feedback("g3", "exp-old", 1),
        feedback("", "exp-old", 1, feedback_group_id=None),
    ]
    text = "\n".join(map(json.dumps, rows))
    assert refusal(text) == "it compares exp-new, exp-old; name the baseline and the candidate"
    found = read(text, candidate="exp-new", baseline="exp-old")
    assert outcomes(found) == ["win", "tie"]
    assert [one.reason for one in found.problems] == ["a feedback group has a score for one run only"]
    assert not found.sides_known and found.reviewer_labels == ("u1",)


def test_a_row_that_is_not_what_its_tool_writes_costs_one_row():
    found = read(json.dumps([label_studio("left"), {"id": 2, "data": {}, "annotations": 5}, {"id": 3}]))
    assert (len(found.ratings), found.n_bad) == (1, 2)


@pytest.mark.skipif(not VOTES.exists(), reason="the shared MT-Bench votes are not on this machine")
def test_the_votes_of_mt_bench():
    """200 votes on 59 questions by 49 judges, as the README of the data says; the rest compares other models."""
    found = read(VOTES.read_bytes(), candidate="gpt-4", baseline="claude-v1")
    assert (len(found.ratings), found.ratings.n_reviewers, found.n_bad, found.n_other) == (200, 49, 0, 3155)
    assert found.cluster is not None and len(found.cluster.labels) == 59
    counts = found.ratings.counts()
    assert (counts["win"], counts["tie"], counts["loss"]) == (91, 55, 54)
    assert found.ignored == ()
