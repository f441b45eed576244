"""The document of a frozen result, without a database: old results, group headings, and what no rating leaves."""

import json

import pytest

from evaluation.report.document import build
from evaluation.report.document.markdown import markdown
from evaluation.report.document.model import Fold, Paragraph, Table
from evaluation.report.document.stored import read
from evaluation.stats import Plan, analyse
from evaluation.stats.ratings import WIN
from tests.evaluation.stats.crossed import from_outcomes, make_ratings


@pytest.fixture(scope="module")
def result():
    found = analyse(make_ratings(shift=0.6, criteria=("tone", "help")), Plan())
    return json.loads(json.dumps(found.to_json()))


def section(document, name):
    return next(one for one in (*document.sections, *document.appendix) if one.name == name)


def test_a_stored_result_reads_back_as_what_was_written(result):
    assert json.loads(json.dumps(read(result).to_json())) == result


def test_what_an_early_result_lacks_has_its_old_value(result):
    primary = {k: v for k, v in result["primary"].items() if k not in ("confidence", "margin", "mixed_model")}
    found = read({"verdict": "better", "sentence": "So it is.", "primary": primary})
    assert (found.primary.confidence, found.primary.margin, found.primary.mixed_model) == (0.95, 0.05, None)
    assert found.criteria == () and found.length is None and found.schema_version == 1
    assert "So it is." in markdown(build({"verdict": "better", "sentence": "So it is.", "primary": primary}))


def test_criteria_stand_under_the_rubric_s_headings(result):
    groups = {"tone": "Manner", "help": "Substance"}
    document = build(result | {"provenance": {"criterion_groups": groups}})
    table = next(block for block in section(document, "criteria").blocks if isinstance(block, Table))
    assert [(group.title, [row[0].text for row in group.rows]) for group in table.groups] == [
        ("Manner", ["Tone"]),
        ("Substance", ["Help"]),
    ]


def test_without_ratings_the_document_says_so_and_has_no_figures():
    document = build(analyse(from_outcomes([]), Plan()).to_json())
    assert [block.kind for block in section(document, "preference").blocks] == ["paragraph"]
    assert not document.charts() and {one.name for one in document.sections} == {"preference", "looks"}


def test_one_rating_has_counts_but_no_way_of_computing_an_error():
    document = build(analyse(from_outcomes([(0, 0, WIN)]), Plan()).to_json())
    kinds = [block.kind for block in section(document, "preference").blocks]
    assert "outcomes" in kinds and "stats" in kinds
    assert not any(isinstance(block, Fold) for block in section(document, "preference").blocks)


def test_a_bound_near_fifty_keeps_the_digit_that_says_on_which_side_it_lies(result):
    primary = result["primary"] | {"ci_low": 0.504, "ci_high": 0.7}
    document = build(result | {"primary": primary})
    first, second = (
        block for block in section(document, "preference").blocks if isinstance(block, Paragraph)
    )
    assert "from 50.4\xa0% to 70.0\xa0%" in first.text and "above 50\xa0%" in second.text


def test_text_from_people_is_no_markup_in_markdown(result):
    document = build(result | {"provenance": {"close_reason": "done | <b>really</b> *now*\n# yes"}})
    assert "done \\| \\<b\\>really\\</b\\> \\*now\\* \\# yes" in markdown(document)


def spaced(text):
    return text.replace("\N{NO-BREAK SPACE}", " ")


def test_a_chance_is_never_shown_as_certain():
    clear = analyse(make_ratings(prompts=100, reviewers=20, shift=0.9), Plan())
    text = spaced(markdown(build(clear.to_json())))
    assert "**Chance that the candidate is better:** over 99.9 %" in text
    assert "**Chance that it is worse:** under 0.1 %" in text


@pytest.mark.parametrize("frozen", [True, False])
def test_only_a_frozen_plan_has_a_hash(frozen):
    facts = section(build(analyse(make_ratings(), Plan(frozen=frozen)).to_json()), "provenance").blocks[0]
    plan = next(fact.figure for fact in facts.items if fact.label == "Analysis plan")
    assert (plan.unit == "hash") == frozen and "None" not in plan.text


def test_the_sentence_about_no_preference_reads_one_way(result):
    """It read "above 50 %, which means no preference", which says the opposite."""
    text = spaced(markdown(build(result)))
    assert "lies above 50 %, the win score without any preference" in text
    assert "which means no preference" not in text
