"""Pairs made elsewhere: stored whole or not at all, by command, page and API alike, and labelled as imported."""

import csv
import io
import json
import os

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from evaluation.comparison.exports import comparison_json
from evaluation.comparison.selectors.comparison_document import comparison_document
from evaluation.comparison.services import pair_imports
from evaluation.models import Comparison, Pair, Prompt, PromptSet, Response
from evaluation.scoring import Scorer, parallel_scoring
from ftplatform.errors import DomainError
from tests import factories
from training.models import ModelVersion

pytestmark = pytest.mark.django_db


def pair(number=0, **changes):
    return {
        "id": f"p{number}",
        "prompt": "Answer.",
        "input": {"tier": "gold" if number % 2 else "basic"},
        "expected": {"decision": "Yes"},
        "baseline": '{"decision": "No"}',
        "candidate": '{"decision": "Yes"}',
        "baseline_output_tokens": 186,
        "candidate_output_tokens": 56,
        "baseline_latency_ms": 8144.62,
        "candidate_latency_ms": 4355.25,
    } | changes


def store(*rows, name="two systems", **options):
    names = {"baseline": "system A", "candidate": "system B"} | options
    return pair_imports.create(
        user=factories.user("manager"), name=name, file=factories.jsonl(*rows), source_name="a.jsonl", **names
    )


def figures(run):
    document = comparison_document(run)
    assert document is not None
    return comparison_json(document)


def test_pairs_become_a_finished_comparison_of_two_external_systems():
    run = store(*(pair(n) for n in range(12)))
    assert run.status == run.Status.SUCCEEDED and run.prompt_set.size == 12
    assert [model.kind for model in run.model_versions] == ["external", "external"]
    found = figures(run)
    assert found["comparison"]["imported"] and found["latency"]["kind"] == "imported"
    score = next(m for m in found["metrics"] if m["name"] == "score")
    assert (score["baseline"], score["candidate"], score["up"]) == (0.0, 1.0, 12)
    assert Prompt.objects.earliest("pk").tags == {"length": "up to 20 words", "tier": "basic"}
    assert set(Pair.objects.values_list("score_change", flat=True)) == {1.0}


def test_the_figures_of_an_import_are_those_of_summarising_it_again():
    from evaluation.comparison.services import figures

    run = store(*(pair(n, candidate='{"decision": "Maybe"}' if n == 3 else "Yes") for n in range(9)))
    stored = run.figures.get().figures
    changes = sorted(run.figures.get().changes.values_list("pair", "field", "change"))
    figures.summarise(run)
    assert run.figures.get().figures == stored
    assert sorted(run.figures.get().changes.values_list("pair", "field", "change")) == changes


def everything_stored(run):
    responses = run.responses.order_by("prompt", "model__name").values_list(
        "prompt__key", "text", "match", "measures", "prompt__tags"
    )
    changes = (
        run.figures.get()
        .changes.order_by("pair", "field")
        .values_list("pair__prompt__key", "field", "change")
    )
    return list(responses), list(changes), run.figures.get().figures


def test_a_large_import_judged_in_other_processes_stores_what_a_small_one_stores(monkeypatch):
    rows = [pair(n, candidate=f'{{"decision": "{"Maybe" if n % 3 else "Yes"}"}}') for n in range(25)]
    monkeypatch.setattr(pair_imports, "_BATCH", 4)
    here = everything_stored(store(*rows, name="here"))
    began = []

    def counted(*given):
        began.append(given)
        return parallel_scoring.scored_ahead(*given)

    monkeypatch.setattr(pair_imports, "scored_ahead", counted)
    monkeypatch.setattr(pair_imports, "_WORTH_PROCESSES", 1)
    beside = everything_stored(store(*rows, name="beside"))
    assert len(began) == 1 and beside == here


def test_an_import_whose_judging_process_dies_is_refused_and_leaves_nothing(monkeypatch):
    monkeypatch.setattr(pair_imports, "_WORTH_PROCESSES", 1)
    monkeypatch.setattr(Scorer, "__reduce__", lambda judge: (os._exit, (1,)))
    with pytest.raises(DomainError) as caught:
        store(*(pair(n) for n in range(3)))
    assert caught.value.code == "import_interrupted" and caught.value.status == 503
    assert not Comparison.objects.exists() and not PromptSet.objects.exists()


def test_the_seed_s_trap_is_said():
    found = figures(store(pair(0), pair(1)))
    assert found["latency_trap"].startswith("A response takes 47\xa0% less time because it is shorter.")
    assert "1.78 times as slow" in found["latency_trap"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"baseline": None}, "baseline"),
        ({"candidate_latency_ms": "fast"}, "candidate_latency_ms"),
        ({"baseline_output_tokens": 1.5}, "baseline_output_tokens"),
        ({"candidate_finish_reason": 7}, "candidate_finish_reason"),
        ({"tags": {"x": ""}}, "tags.x"),
        ({"prompt": " "}, "prompt"),
        ({"id": "p0"}, "id"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_bad_row_is_named_with_line_and_field_and_nothing_is_stored(change, field):
    with pytest.raises(DomainError) as caught:
        store(pair(0), pair(1) | change)
    assert [(p["line"], p["field"]) for p in caught.value.problems] == [(2, field)]
    assert not PromptSet.objects.exists() and not ModelVersion.objects.exists()


def test_one_system_against_itself_is_refused():
    with pytest.raises(DomainError, match="different names"):
        store(pair(), candidate="system A ")


def test_a_failure_on_the_way_leaves_nothing(monkeypatch):
    def broken(*args):
        raise RuntimeError("disk full")

    monkeypatch.setattr(pair_imports, "_store", broken)
    with pytest.raises(RuntimeError):
        store(pair())
    assert not Comparison.objects.exists() and not PromptSet.objects.exists()


def test_an_import_that_was_killed_stays_failed_and_can_be_repeated(monkeypatch):
    monkeypatch.setattr(pair_imports, "_forget", lambda run: None)
    monkeypatch.setattr(pair_imports, "_store", lambda *args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        store(pair())
    monkeypatch.undo()
    left = Comparison.objects.get()
    assert (left.status, left.error_code) == ("failed", "import_incomplete")
    with pytest.raises(DomainError, match="already called"):
        store(pair())  # it may still be at work
    Comparison.objects.update(heartbeat_at="2026-01-01T00:00Z")
    assert store(pair()).status == "succeeded"


def test_a_table_says_the_same_as_json_lines(tmp_path):
    content = io.StringIO()
    columns = ["id", "prompt", "input.tier", "expected.decision", "tag.language", "baseline", "candidate"]
    writer = csv.writer(content)
    writer.writerow([*columns, "baseline_output_tokens"])
    writer.writerow(["p0", "Answer.", "gold", "Yes", "en", '{"decision": "No"}', "Yes\nand more", ""])
    file = tmp_path / "pairs.csv"
    file.write_text(content.getvalue())
    factories.user("admin")
    call_command("import_pairs", file, "--name", "csv", "--baseline", "A", "--candidate", "B")
    prompt = Prompt.objects.get()
    assert (prompt.input, prompt.expected, prompt.tags["language"]) == (
        {"tier": "gold"},
        {"decision": "Yes"},
        "en",
    )
    assert Response.objects.latest("pk").text == "Yes\nand more"


def test_the_command_names_line_and_field(tmp_path):
    factories.user("admin")
    file = tmp_path / "pairs.jsonl"
    file.write_text(json.dumps(pair(0, candidate=5)) + "\n")
    with pytest.raises(CommandError, match="line 1, candidate"):
        call_command("import_pairs", file, "--name", "x", "--baseline", "A", "--candidate", "B")


def test_the_page_and_the_api_import_too(client):
    client.force_login(factories.user("manager"))
    values = {"name": "by page", "baseline": "A", "candidate": "B"}

    def file(*rows):
        content = factories.jsonl(*rows)
        content.name = "pairs.jsonl"
        return content

    answer = client.post(reverse("evaluation:pairs_import"), values | {"file": file(pair())})
    assert answer.status_code == 302
    assert "generated elsewhere" in client.get(answer.url).content.decode()
    refused = client.post(reverse("evaluation:pairs_import"), values | {"file": file(pair(prompt=""))})
    assert refused.status_code == 400 and "Line 1, prompt" in refused.content.decode()
    made = client.post("/api/v1/comparisons/import/", values | {"name": "by api", "file": file(pair())})
    assert made.status_code == 201, made.content
    figures = client.get(f"/api/v1/comparisons/{made.json()['id']}/figures/").json()
    assert figures["comparison"]["imported"] is True


def test_a_megabyte_an_empty_and_an_odd_response_are_stored_and_shown(client):
    run = store(
        pair(0, candidate="x " * 250_000),
        pair(1, baseline=""),
        pair(2, candidate='{"decision": "\\ud83d"}'),
    )
    client.force_login(factories.user("manager"))
    for each in run.pairs.all():
        page = client.get(reverse("evaluation:pair", args=[run.pk, each.pk]))
        assert page.status_code == 200 and len(page.content) < 400_000
        for kind in ("md", "html", "json", "csv"):
            assert (
                client.get(reverse("evaluation:pair_file", args=[run.pk, each.pk, kind])).status_code == 200
            )


def test_thoughts_dots_and_digits_are_matched_and_shown_as_written(client):
    thought = '<think>Maybe {"decision": "No"}? No.</think>\n{"decision": "Yes"}'
    long = "12345678901234567890.25"
    run = store(
        pair(1, baseline=thought, candidate=f"{thought[:-2]}s"),
        pair(2, expected={"a.b": 1, "a": {"b": 2}}, baseline='{"a.b": 99, "a": {"b": 2}}', candidate="{}"),
        pair(3, expected={"n": 1}, baseline=f'{{"n": {long}, "n": {long}}}', candidate=f'{{"n": {long}}}'),
    )
    exact = [(response.match or {})["exact"] for response in Response.objects.order_by("prompt", "pk")]
    assert exact == [True, False, False, False, False, False]
    assert {field["name"] for field in figures(run)["fields"]} == {"decision", r"a\.b", "a.b", "n"}
    client.force_login(factories.user("manager"))
    number = Pair.objects.latest("pk").pk
    page = client.get(reverse("evaluation:pair", args=[run.pk, number])).content.decode()
    assert page.count(long) >= 4 and "Repeated names: n." in page
    document = client.get(f"/api/v1/comparisons/{run.pk}/pairs/{number}/").json()
    assert document["fields"][0]["candidate"]["got"] == long
