import io
import json

import numpy as np
import pytest

from evaluation.stats.ratings import OUTCOMES
from evaluation.stats.ratings_file import MAX_LINE, MAX_PROBLEMS_KEPT, FileError, Reading, read_ratings

HEADER = "prompt_id,reviewer_id,preference,candidate_side,tone_baseline,tone_candidate\n"


def _read(data, *, simulated=False, with_texts=False, on_problem=None, **reading):
    options = {"simulated": simulated, "with_texts": with_texts, "on_problem": on_problem}
    return read_ratings(io.BytesIO(data), Reading(**reading), **options)


def _refused(read, *args, **options):
    with pytest.raises(FileError) as refusal:
        read(*args, **options)
    return refusal.value.line, refusal.value.reason


def _csv(text, **options):
    data = text if isinstance(text, bytes) else text.encode()
    return _read(data, **options)


def _jsonl(*rows, **options):
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    return _read("\n".join(lines).encode(), **options)


def _row(**changes):
    row = {"prompt_id": "p1", "reviewer_id": "r1", "preference": "win", "candidate_side": "left"}
    return {**row, **changes}


def _problems(found):
    return [(problem.line, problem.reason) for problem in found.problems]


def test_csv_rows_become_arrays():
    found = _csv(HEADER + "p1,r1,win,left,5,7\np1,r2,both_bad,right,,\np2,r1,loss,left,6.5,6\n")
    assert found.problems == ()
    assert (found.prompt_labels, found.reviewer_labels) == (("p1", "p2"), ("r1", "r2"))
    ratings = found.ratings
    assert [OUTCOMES[code] for code in ratings.outcome] == ["win", "both_bad", "loss"]
    assert ratings.candidate_left.tolist() == [True, False, True]
    baseline, candidate = ratings.criteria["tone"]
    np.testing.assert_array_equal(baseline, [5, np.nan, 6.5])
    np.testing.assert_array_equal(candidate, [7, np.nan, 6])


def test_jsonl_gives_the_same_ratings_as_csv():
    from_csv = _csv(HEADER + "1,r1,win,left,5,7\n2,r1,tie,right,,3\n")
    from_jsonl = _jsonl(
        _row(prompt_id=1, tone_baseline=5, tone_candidate=7),
        _row(prompt_id=2, preference="tie", candidate_side="right", tone_baseline=None, tone_candidate=3),
    )
    assert from_jsonl.problems == ()
    assert from_jsonl.prompt_labels == from_csv.prompt_labels
    for name in ("prompt", "reviewer", "outcome", "candidate_left"):
        np.testing.assert_array_equal(getattr(from_csv.ratings, name), getattr(from_jsonl.ratings, name))
    for ours, theirs in zip(
        from_csv.ratings.criteria["tone"], from_jsonl.ratings.criteria["tone"], strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_a_criterion_that_appears_late_is_missing_before():
    found = _jsonl(_row(), _row(prompt_id="p2", tone_baseline=4, tone_candidate=5))
    np.testing.assert_array_equal(found.ratings.criteria["tone"][0], [np.nan, 4])


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",r1,win,left,5,5", "prompt_id is empty"),
        ("p1,  ,win,left,5,5", "reviewer_id is empty"),
        ("p1,r1,better,left,5,5", "preference must be one of win, tie, both_bad, loss, not 'better'"),
        ("p1,r1,win,middle,5,5", "candidate_side must be left, right or empty, not 'middle'"),
        ("p1,r1,win,left,eleven,5", "tone_baseline must be a number, not 'eleven'"),
        ("p1,r1,win,left,nan,5", "tone_baseline must be a number, not 'nan'"),
        ("p1,r1,win,left,5,1_0", "tone_candidate must be a number, not '1_0'"),
        ("p1,r1,win,left,5,11", "tone_candidate must lie between 1 and 10, not '11'"),
        ("p1,r1,win,left,0.5,5", "tone_baseline must lie between 1 and 10, not '0.5'"),
        ("p1,r1,win,left,1e999,5", "tone_baseline must lie between 1 and 10, not '1e999'"),
        ("p1,r1,win,left,5", "5 fields where the header has 6"),
        ("p1,r1,win,left,5,5,5", "7 fields where the header has 6"),
        ('p1,r1,win,left,"5,5', "the line has an unclosed or misplaced quote"),
        ("p\0,r1,win,left,5,5", "the line contains a NUL character"),
    ],
)
def test_each_bad_row_is_named_and_costs_one_row(row, reason):
    found = _csv(f"{HEADER}p0,r0,tie,left,5,5\n{row}\np9,r9,loss,left,5,5\n")
    assert _problems(found) == [(3, reason)]
    assert len(found.ratings) == 2


def test_invalid_utf8_names_line_and_byte():
    # 0x81 is no character of Windows-1252 either.
    found = _csv(HEADER.encode() + b"p1,r\x81,win,left,5,5\np2,r1,win,left,5,5\n")
    assert _problems(found) == [(2, "byte 5 is not valid UTF-8; save the file as UTF-8")]
    assert found.prompt_labels == ("p2",)


def test_a_second_rating_of_the_same_prompt_points_to_the_first():
    found = _csv(HEADER + "p1,r1,win,left,5,5\np1,r2,win,left,5,5\n\np1,r1,loss,left,5,5\n")
    assert _problems(found) == [(5, "reviewer 'r1' already rated prompt 'p1' on line 2")]
    assert len(found.ratings) == 2


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (
            "prompt_id,preference,candidate_side",
            "missing columns: reviewer_id. The file has prompt_id, preference, candidate_side; say which of them to "
            "read (for example reviewer_id=COLUMN)",
        ),
        ("prompt_id,reviewer_id,preference,preference,candidate_side", "repeated columns: preference"),
        ('prompt_id,"reviewer', "the header has an unclosed or misplaced quote"),
    ],
)
def test_a_header_that_cannot_be_used_is_refused_once(header, reason):
    assert _refused(_csv, header + "\np1,r1,win\n") == (1, reason)


def test_unknown_columns_are_listed_and_not_read():
    header = "prompt_id,reviewer_id,preference,candidate_side,notes,tone_baseline"
    found = _csv(header + "\np1,r1,win,left,fine,5\n")
    assert (found.problems, found.ignored) == ((), ("notes", "tone_baseline"))
    assert len(found.ratings) == 1
    assert found.ratings.criteria == {}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "the line is not valid JSON"),
        ("[1]", "the line is not a JSON object"),
        ('{"prompt_id": NaN}', "NaN is not a number that JSON allows"),
        ('{"prompt_id": 1, "prompt_id": 2}', "a name occurs twice in the object"),
        ("[" * 100_000, "the line is not valid JSON"),
        (json.dumps(_row(prompt_id=True)), "prompt_id is empty"),
        (json.dumps(_row(prompt_id="\ud800")), "prompt_id contains a character that text cannot hold"),
        (json.dumps(_row(preference=1)), "preference must be one of win, tie, both_bad, loss, not 1"),
        (json.dumps(_row(prompt_id="x" * 2000)), "prompt_id is longer than 1000 characters"),
    ],
)
def test_each_bad_json_line_is_named(line, reason):
    found = _jsonl(_row(prompt_id="good"), line)
    assert _problems(found) == [(2, reason)]
    assert len(found.ratings) == 1


@pytest.mark.parametrize("score", ["x", [1], 10**400])
def test_json_scores_must_be_numbers_in_range(score):
    found = _jsonl(_row(tone_baseline=score, tone_candidate=5))
    assert len(found.problems) == 1
    assert found.problems[0].reason.startswith("tone_baseline ")
    assert len(found.ratings) == 0


def test_an_unknown_json_name_is_listed_once():
    found = _jsonl(_row(mood="a"), _row(prompt_id="p2", mood="b"))
    assert (found.problems, found.ignored) == ((), ("mood",))
    assert len(found.ratings) == 2


def test_an_overlong_line_is_skipped_whole():
    row = "p1,r1,win,left,5,5"
    found = _csv(f"{HEADER}{'x' * (2 * MAX_LINE + 5)}\n{row}\n")
    assert _problems(found) == [(2, "the line is longer than 1,000,000 characters")]
    assert len(found.ratings) == 1


def test_byte_order_mark_and_windows_line_ends_are_read():
    found = _csv(b"\xef\xbb\xbf" + HEADER.replace("\n", "\r\n").encode() + b"p1,r1,win,left,5,5\r\n")
    assert found.problems == ()
    assert len(found.ratings) == 1


@pytest.mark.parametrize("data", ["", "\n\n"])
def test_an_empty_file_says_so(data):
    assert _refused(_csv, data) == (1, "the file is empty")


def test_all_problems_are_counted_and_the_first_kept():
    bad = "p1,r1,oops,left,5,5\n" * (MAX_PROBLEMS_KEPT + 5)
    found = _csv(HEADER + bad)
    assert len(found.problems) == MAX_PROBLEMS_KEPT
    assert found.n_bad == found.n_rows == MAX_PROBLEMS_KEPT + 5


def test_score_range_and_simulation_are_the_callers():
    row = "p1,r1,win,left,0,100\n"
    found = _csv(HEADER + row, score_range=(0, 100), simulated=True)
    assert found.problems == ()
    assert found.ratings.simulated


def test_the_columns_of_our_own_export_may_stand_in_the_file():
    text = HEADER.strip() + ",simulated,answers,comment,active_ms,submitted_at\n"
    text += 'p1,r1,win,left,5,7,True,"{""a"": 1}",fine,900,2026-01-01\np2,r1,tie,left,5,7,False,,,,\n'
    found = _csv(text)
    assert found.problems == () and found.ratings.n_simulated == 1
    assert "simulated" in found.ratings.made_by
    assert _problems(_csv(text + "p3,r1,tie,left,5,7,maybe,,,,\n"))[0][0] == 4


def test_answers_of_yes_and_no_are_an_outcome_and_not_a_score():
    header = "prompt_id,reviewer_id,preference,candidate_side,solved_baseline,solved_candidate\n"
    found = _csv(header + "p1,r1,win,left,,yes\np2,r1,tie,left,no,yes\np3,r1,tie,left,5,yes\n")
    assert found.ratings.criteria == {}
    before, after = found.ratings.yes_no["solved"]
    np.testing.assert_array_equal(before, [np.nan, 0])
    np.testing.assert_array_equal(after, [1, 1])
    assert _problems(found) == [(4, "solved_baseline must be yes or no, as in the rows before, not '5'")]
    from_json = _jsonl(_row(solved_baseline=False, solved_candidate=True))
    assert from_json.ratings.yes_no["solved"][1].tolist() == [1.0]


def test_a_bad_first_row_does_not_decide_what_a_column_holds():
    found = _csv(HEADER + "p1,r1,win,middle,yes,yes\np2,r1,win,left,5,7\n")
    assert found.n_bad == 1
    assert found.ratings.criteria["tone"][0].tolist() == [5.0]


def test_lengths_times_and_slices_are_read():
    header = "prompt_id,reviewer_id,preference,candidate_side,baseline_words,candidate_words,active_ms,slice_topic\n"
    found = _csv(
        header + "p1,r1,win,left,100,120,9000,refund\np2,r1,tie,right,80,,,\np3,r1,tie,right,-1,5,,\n"
    )
    assert found.ratings.lengths is not None and found.active_ms is not None
    np.testing.assert_array_equal(found.ratings.lengths[1], [120, np.nan])
    np.testing.assert_array_equal(found.active_ms, [9000, np.nan])
    topic = found.ratings.slices["topic"]
    assert (topic.labels, topic.code.tolist()) == (("refund",), [0, -1])
    assert _problems(found) == [(4, "baseline_words must lie between 0 and 1e+09, not '-1'")]


def test_every_bad_row_is_told_however_many_there_are():
    told: list[object] = []
    _csv(HEADER + "p1,r1,oops,left,5,5\n" * (MAX_PROBLEMS_KEPT + 5), on_problem=told.append)
    assert len(told) == MAX_PROBLEMS_KEPT + 5


def test_a_file_of_mixed_encodings_names_the_row():
    mixed = "pé1,r1,win,left,5,5\n".encode() + "pé2,r1,win,left,5,5\n".encode("latin-1")
    found = _csv(HEADER.encode() + mixed)
    assert _problems(found) == [(3, "byte 2 is not valid UTF-8; save the file as UTF-8")]
    assert found.prompt_labels == ("pé1",)


def test_one_bad_row_in_many_is_found_and_the_rest_kept():
    lines = [f"p{i // 5},r{i % 5},{'win' if i % 3 else 'loss'},left,5,6" for i in range(200_000)]
    lines[123_456] = lines[123_456].replace(",left", ",top")
    found = _csv(HEADER + "\n".join(lines))
    assert _problems(found) == [(123_458, "candidate_side must be left, right or empty, not 'top'")]
    assert len(found.ratings) == 199_999
