"""Every cell of a comparison's documents, in every output format, for every kind of comparison."""

import html
import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from evaluation.comparison import exports, markdown
from evaluation.comparison.selectors import comparison_document
from evaluation.comparison.selectors.pair_document import pair_document
from evaluation.comparison.services import comparisons, figures, responses
from evaluation.models import Comparison, Pair, Timing
from ftplatform.jobs import services as jobs
from ftplatform.jobs.models import Job
from ftplatform.text.markdown import escape
from tests import factories
from tests.evaluation.comparison.test_pair_imports import pair, store
from training.models import ModelVersion, StepMetric, TrainingRun

pytestmark = pytest.mark.django_db
BARE = dict.fromkeys(
    f"{side}_{name}" for side in ("baseline", "candidate") for name in ("output_tokens", "latency_ms")
)


def trained():
    """An adapter with its training run and its curves, measured one request at a time as well."""
    owner = factories.user()
    run = factories.comparison(owner, prompts=6)
    training = factories.training_run(owner, base_model=run.baseline)
    TrainingRun.objects.filter(pk=training.pk).update(
        status="succeeded", started_at=timezone.now() - timedelta(minutes=7), finished_at=timezone.now()
    )
    for step, loss in ((1, 2.0), (2, 1.25)):
        for split in StepMetric.Split:
            StepMetric.objects.create(run=training, step=step, split=split, loss=loss, token_accuracy=0.5)
    ModelVersion.objects.filter(pk=run.candidate.pk).update(run=training)
    for place, prompt in enumerate(run.prompt_set.prompts.all()):
        for model, total in ((run.baseline, 900), (run.candidate, 300)):
            Timing.objects.create(
                comparison=run,
                prompt=prompt,
                model=model,
                place=place,
                output_tokens=12,
                first_token_ms=30,
                total_ms=total,
            )
    return run


def merged():
    run = trained()
    source = ModelVersion.objects.get(pk=run.candidate.pk)
    base = source.base
    model = ModelVersion.objects.create(
        name="merged", kind="merged", path="/nowhere", source=source, base=base, created_by=source.created_by
    )
    run.comparison_candidates.update(model=model)
    run.responses.filter(model=source).update(model=model)
    run.timings.filter(model=source).update(model=model)
    run.pairs.update(candidate_model=model)
    run.figures.update(candidate=model)
    return run


def imported():
    return store(*(pair(number) for number in range(8)))


def imported_bare():
    return store(*(pair(number, **BARE) for number in range(8)))


def imported_with_markup():
    rows = [
        pair(
            number,
            id=f"<b>|{number}*",
            tags={"a_b": "x|y" if number % 2 else "<i>z</i>"},
            expected={
                "de|ci_sion": "Yes",
                "reply": "A long text, so that it is compared for likeness, not judged.",
            },
            baseline='{"de|ci_sion": "*No*", "reply": "A text."}',
            candidate='Sure: {"de|ci_sion": "Yes", "reply": 7, "more": 1} ```',
        )
        for number in range(12)
    ]
    return store(*rows, name="<script> | `x`", baseline="A | <b>", candidate="B *_*")


def external():
    run = factories.comparison(factories.user(), prompts=5)
    Comparison.objects.filter(pk=run.pk).update(engine="vllm", facts={"batch_size": 3})
    models = [model.pk for model in run.model_versions]
    ModelVersion.objects.filter(pk__in=models).update(kind="external", base=None, path="")
    return run


def several_candidates():
    return factories.comparison(factories.user(), prompts=5, candidates=3, samples=2)


def without_expected():
    return store(*(pair(number, expected=None) for number in range(6)))


def without_expected_bare():
    return store(*(pair(number, expected=None, **BARE) for number in range(6)))


def one_prompt():
    return factories.comparison(factories.user(), prompts=1)


def empty_responses():
    return store(*(pair(number, baseline="", candidate=" ") for number in range(6)))


def claimed(run):
    claim = jobs.claim_next(queue=run.queue, worker="w")
    assert claim is not None
    return claim


def failures_left_out():
    owner = factories.user()
    run = factories.comparison(owner, prompts=4, finished=False)
    claim = claimed(run)
    for model, count in ((run.baseline, 4), (run.candidate, 3)):
        for prompt in run.prompt_set.prompts.all()[:count]:
            responses.record_responses(claim, [factories.response(run, prompt, model)])
    jobs.finish(claim, Job.Status.FAILED, error_code="incomplete", error_message="Missing.")
    run.refresh_from_db()
    comparisons.leave_out_missing(user=owner, comparison=run)
    claim = claimed(run)
    responses.complete(claim, {})
    jobs.finish(claim, Job.Status.SUCCEEDED)
    return run


def safety_check():
    run = factories.comparison(factories.user(), prompts=6)
    run.prompt_set.check_name = "toxicity"
    run.prompt_set.save()
    figures.match_again(run.prompt_set)
    return run


def without_decoding():
    """A run from before its settings were kept."""
    run = factories.comparison(factories.user(), prompts=3)
    Comparison.objects.filter(pk=run.pk).update(decoding={}, facts={})
    return run


KINDS = [
    trained, merged, imported, imported_bare, imported_with_markup, external, several_candidates, without_expected,
    without_expected_bare, one_prompt, empty_responses, failures_left_out, safety_check, without_decoding,
]  # fmt: skip


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def run(request, client):
    made = Comparison.objects.get(pk=request.param().pk)
    client.force_login(factories.user("manager"))
    return made


def overview(run, candidate=None):
    document = comparison_document.comparison_document(run, candidate)
    assert document is not None
    return document


def squeezed(text):
    return re.sub(r"\s+", "", text)


def visible(markup):
    """The text of a page without any space, so that nothing depends on how its markup is laid out."""
    return squeezed(html.unescape(re.sub(r"<[^>]+>", "", markup)))


def rows_of(markup):
    """The rows of a page's tables, each as its text without any space."""
    return [visible(row) for row in re.findall(r"<tr>(.*?)</tr>", markup, re.DOTALL)]


def table_row(row):
    """A row as one text, as a page shows it."""
    cells = [f"{cell.word + ':' if cell.word else ''}{cell.text}{cell.note}" for cell in row.cells]
    return squeezed("".join([row.title, *row.notes, *cells]))


def markdown_row(row):
    cells = [
        f"{cell.word + ': ' if cell.word else ''}{cell.text}" + (f" ({cell.note})" if cell.note else "")
        for cell in row.cells
    ]
    title = f"{row.title} ({'; '.join(row.notes)})" if row.notes else row.title
    return f"| {' | '.join(map(escape, [title, *cells]))} |"


def sentences(document):
    """Every text of a document that is no cell of a table."""
    yield document.lead
    for caution in document.cautions:
        yield from (caution.title, caution.text)
    for fact in document.facts:
        yield from (fact.term, fact.text)


def strings(value):
    if isinstance(value, dict):
        return [text for inner in value.values() for text in strings(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in strings(inner)]
    return [value] if isinstance(value, str) else []


def assert_sections(sections, pages, markdown, api):
    lines = markdown.splitlines()
    for section, stored in zip(sections, api["sections"], strict=True):
        for text in (section.title, section.note, section.text, section.footnote):
            assert all(squeezed(text) in visible(page) for page in pages)
            assert escape(text) in markdown
        for table, found in zip(section.tables, stored["tables"], strict=True):
            assert found["columns"] == list(table.columns) and escape(table.note) in markdown
            header = f"| {' | '.join(map(escape, table.columns))} |"
            assert header in lines
            for row, kept in zip(table.rows, found["rows"], strict=True):
                assert len(row.cells) == len(table.columns) - 1
                assert all(table_row(row) in rows_of(page) for page in pages)
                assert markdown_row(row) in lines
                shown = [(cell["text"], cell["note"], cell["word"]) for cell in kept["cells"]]
                assert shown == [(cell.text, cell.note, cell.word) for cell in row.cells]
                assert kept["title"] == row.title and kept["notes"] == list(row.notes)


def test_every_cell_of_a_comparison_is_the_same_everywhere(run, client):
    for candidate in run.candidates:
        document = overview(run, candidate)
        query = f"?candidate={candidate.pk}"
        page = client.get(reverse("evaluation:comparison", args=[run.pk]) + query).content.decode()
        files = {
            kind: client.get(reverse("evaluation:comparison_file", args=[run.pk, kind]) + query)
            for kind in ("html", "md", "json", "csv")
        }
        assert {file.status_code for file in files.values()} == {200}
        api = client.get(f"/api/v1/comparisons/{run.pk}/figures/{query}").json()
        assert files["json"].json() == api
        markdown, file = (files[kind].content.decode() for kind in ("md", "html"))
        assert_sections(document.sections, [page, file], markdown, api)
        for text in (document.headline, *(caution.text for caution in document.cautions)):
            assert squeezed(text) in visible(page) and squeezed(text) in visible(file)
        for text in (document.headline, *sentences(document)):
            assert escape(text) in markdown and text in strings(api)
        for fact in document.facts:
            assert squeezed(fact.term + fact.text) in visible(page)
            assert squeezed(fact.term + fact.text) in visible(file)


def test_every_cell_of_one_prompt_is_the_same_everywhere(run, client):
    chosen = Pair.objects.filter(comparison=run, candidate_model=run.candidates[-1]).latest("pk")
    document = pair_document(comparison=run, pair=chosen)
    page = client.get(reverse("evaluation:pair", args=[run.pk, chosen.pk])).content.decode()
    files = {
        kind: client.get(reverse("evaluation:pair_file", args=[run.pk, chosen.pk, kind]))
        for kind in ("html", "md", "json", "csv")
    }
    assert {file.status_code for file in files.values()} == {200}
    api = client.get(f"/api/v1/comparisons/{run.pk}/pairs/{chosen.pk}/").json()
    # The moment at which either was made is the only difference.
    now = {"made_at": None, "made_from": None}
    assert files["json"].json() | now == api | now
    markdown, file = (files[kind].content.decode() for kind in ("md", "html"))
    assert_sections([document.summary], [page, file], markdown, api)
    texts = [text for text in sentences(document) if not text.endswith("UTC")]
    texts += [text for stat in document.stats for text in (stat.label, stat.value, stat.note)]
    texts += [document.prompt.expected_note, document.reading_note]
    for response in document.responses:
        texts += [response.title, response.model, *response.remarks, *response.unexpected]
        assert squeezed(response.text) in squeezed(markdown) and response.text in strings(api)
        assert squeezed(response.text) in visible(page) and squeezed(response.text) in visible(file)
    for text in texts:
        assert squeezed(text) in visible(page) and squeezed(text) in visible(file), text
        assert escape(text) in markdown
    for row in document.fields:
        sides = [side for side in (row.baseline, row.candidate) if side]
        assert len(sides) == 2
        shown = [row.field, row.rule, row.expected_text, *(side.word + side.text for side in sides)]
        assert squeezed("".join(shown)) in rows_of(page) and squeezed("".join(shown)) in rows_of(file)
        cells = [f"{row.field} ({row.rule})", row.expected_text]
        cells += [f"{side.word}: {side.text}" if side.text else side.word for side in sides]
        assert f"| {' | '.join(map(escape, cells))} |" in markdown.splitlines()
        assert {side.word for side in sides} <= set(strings(api))


def test_a_share_differs_by_percentage_points(run):
    document = overview(run)
    for figure in (*document.metrics, *document.fields, *document.slices, *document.safety):
        if figure.unit == "share":
            assert figure.text.difference.endswith("pp") and figure.text.relative == ""
            assert "%" not in figure.text.difference + figure.text.interval


def test_no_value_is_shown_as_a_python_one(run, client):
    """Nothing that was not recorded shows as None or nan."""
    page = client.get(reverse("evaluation:comparison", args=[run.pk])).content.decode()
    markdown = client.get(reverse("evaluation:comparison_file", args=[run.pk, "md"])).content.decode()
    first = run.pairs.earliest("pk")
    one = client.get(reverse("evaluation:pair_file", args=[run.pk, first.pk, "md"])).content.decode()
    for text in (visible(page), markdown, one):
        assert not re.search(r"\b(None|nan|inf)\b", text)


def test_what_a_comparison_knows_of_its_training_shows_for_a_merged_model_too():
    run = Comparison.objects.get(pk=merged().pk)
    terms = {fact.term: fact.text for fact in overview(run).facts}
    assert terms["Training duration"] == "7.0 minutes"
    assert "loss 2.00 → 1.25" in terms["Training"] and "(merged model)" in terms["Candidate"]


def test_imported_systems_go_by_their_names_alone(client):
    run = imported_bare()
    client.force_login(run.created_by)
    page = client.get(reverse("evaluation:comparison", args=[run.pk])).content.decode()
    markdown = client.get(reverse("evaluation:comparison_file", args=[run.pk, "md"])).content.decode()
    for text in (page, markdown):
        assert "system A" in text and "system B" in text
        assert not re.search(r"\b(tuned|untuned|base model)\b", text, re.IGNORECASE)


def test_every_cell_is_text_already():
    """The control of this file: there is something to compare, and nothing is left to format."""
    sections = overview(Comparison.objects.get(pk=trained().pk)).sections
    rows = [row for section in sections for table in section.tables for row in table.rows]
    cells = [cell for row in rows for cell in row.cells]
    assert len(cells) > 50 and all(isinstance(cell.text, str) for cell in cells)


def test_a_prompt_with_turns_is_shown_turn_by_turn():
    run = factories.comparison(factories.user(), prompts=1)
    factories.with_turns(run.prompt_set)

    document = pair_document(comparison=run, pair=run.pairs.get())

    assert [turn.role for turn in document.prompt.turns] == [
        *("system", "user", "assistant", "user", "assistant", "tool")
    ]
    assert document.prompt.tools == ("find_order",)
    written = markdown.single(document)
    assert "**Tools:** find\\_order" in written and "**Instruction:**" not in written
    assert "**Turn 4, user:**\n\n```\nWhere is order 0?\n```" in written
    assert '**Turn 5, assistant:**\n\nCall of find\\_order:\n\n```\n{\n  "number": 7\n}\n```' in written
    assert "**Turn 6, tool find\\_order:**\n\n```\nIt leaves tomorrow.\n```" in written
    assert exports.pair_json(document)["prompt"]["messages"] == factories.messages()
