"""The comparison: what is better, worse and how sure; the same on the page, through the API and in every download."""

import csv
import io
import re

import numpy as np
import pytest
from django.urls import reverse

from evaluation import tasks
from evaluation.comparison import sentences
from evaluation.comparison.selectors import pair_table
from evaluation.comparison.services import checks, figures
from evaluation.models import Response
from evaluation.scoring import Scorer
from evaluation.scoring.matching.difference import differences
from evaluation.stats.paired import Paired, mcnemar, newcombe
from ftplatform import queues
from ftplatform.errors import DomainError
from tests import factories
from tests.evaluation.comparison.test_pair_imports import figures as figures_of
from tests.evaluation.comparison.test_pair_imports import pair, store


def test_the_paired_interval_is_that_of_scipy():
    from scipy import stats

    draw = np.random.default_rng(20)
    first, second = draw.normal(size=200), draw.normal(0.2, 1, 200)
    sums = Paired()
    for start in range(0, 200, 30):  # the same whatever the chunks
        sums.add(first[start : start + 30], second[start : start + 30])
    found, wanted = sums.result(), stats.ttest_rel(second, first)
    assert found is not None and found.p_value == pytest.approx(wanted.pvalue)
    interval = wanted.confidence_interval()
    assert (found.ci_low, found.ci_high) == pytest.approx((interval.low, interval.high))


def test_mcnemar_is_that_of_statsmodels():
    from statsmodels.stats.contingency_tables import mcnemar as reference

    assert mcnemar(15, 4) == pytest.approx(reference([[30, 4], [15, 51]], exact=True).pvalue)


def test_newcombe_covers_what_it_should():
    """Of 2,000 samples of 60 correlated pairs, about 95 % of the intervals hold the true difference of 0.15."""
    draw = np.random.default_rng(20)
    held = 0
    for both, up, down, neither in draw.multinomial(60, [0.5, 0.25, 0.1, 0.15], 2000):
        low, high = newcombe(int(both), int(up), int(down), int(neither))
        held += low <= 0.15 <= high
    assert 0.935 <= held / 2000 <= 0.985


def test_the_shorter_response_of_a_slower_model_is_called_by_its_name():
    assert "1.78 times as slow" in sentences.trap(-0.465, 0.776)
    assert sentences.trap(-0.2, -0.2) == sentences.trap(None, 0.2) == ""
    assert sentences.trap(0.5, -1.0)  # a candidate without any time per token divides nothing by zero


def test_what_differs_is_marked_alike_on_both_sides():
    first, second = differences("The size is large.", "The size is small.")
    assert [piece.text for piece in first if piece.differs] == ["large"]
    assert [piece.text for piece in second if piece.differs] == ["small"]
    assert "".join(piece.text for piece in first) == "The size is large."


def test_two_long_texts_are_compared_in_bounded_time():
    first, second = differences("a b " * 20_000, "b c " * 20_000)
    assert {piece.text.strip() for piece in second if piece.differs} == {"c"}
    assert all(not piece.differs or piece.text.strip() == "a" for piece in first)


def test_an_answer_outside_the_declared_values_is_named_and_free_text_is_never_wrong():
    judge = Scorer(
        {"decision": {"kind": "one_of", "options": ["Eligible", "Denied"]}, "reply": {"kind": "similar"}}
    )
    found = judge.match(
        {"decision": "Eligible", "reply": "I can help."}, '{"decision": "Available", "reply": "No."}'
    )
    assert [field.status for field in found.fields] == ["mismatch", "similar"]
    assert found.problems == ("decision: 'Available' is none of the 2 allowed values",)


@pytest.mark.parametrize(("text", "fits"), [('{"n": 1}', True), ('{"n": "x"}', False), ("no", False)])
def test_a_response_is_held_against_the_schema(text, fits):
    judge = Scorer({}, {"type": "object", "properties": {"n": {"type": "integer"}}})
    assert judge.schema_valid(text) is fits


@pytest.fixture
def mixed(db):
    """Forty pairs: the candidate is right on gold except for three, and worse on basic."""
    rows = []
    for n in range(40):
        gold = n % 2
        good = '{"decision": "Yes"}'
        bad = '{"decision": "No"}'
        first, second = (
            (bad, good) if gold and n > 5 else (good, bad) if not gold and n < 10 else (good, good)
        )
        rows.append(pair(n, baseline=first, candidate=second))
    return store(*rows)


def test_the_slice_that_got_worse_comes_first(mixed):
    found = figures_of(mixed)
    assert [(row["tag"], row["value"]) for row in found["slices"]] == [("tier", "basic"), ("tier", "gold")]
    assert found["slices"][0]["difference"] == pytest.approx(-5 / 20)
    assert all(row["p_adjusted"] >= row["p_value"] for row in found["slices"])


def test_pairs_are_found_by_what_changed(mixed):
    user = factories.user("manager")

    def count(**filters):
        return pair_table.pairs(user=user, comparison=mixed, candidate=mixed.candidate, **filters).count()

    assert (count(), count(change="worse"), count(change="better"), count(change="same")) == (40, 5, 17, 18)
    assert count(change="worse", field="decision") == 5 and count(change="better", field="other") == 0
    assert count(tag="tier:gold") == 20 and count(tag="tier:gold", change="worse") == 0
    worst = pair_table.pairs(user=user, comparison=mixed, candidate=mixed.candidate, order="worst").first()
    assert worst is not None and worst.score_change == -1
    for wrong in ({"change": "odd"}, {"tag": "tier"}):
        with pytest.raises(DomainError, match=r"change is|A tag is"):
            count(**wrong)


def test_page_api_and_downloads_say_the_same(mixed, client):
    client.force_login(factories.user("manager"))
    page = client.get(reverse("evaluation:comparison", args=[mixed.pk])).content.decode()
    api = client.get(f"/api/v1/comparisons/{mixed.pk}/figures/").json()
    files = {
        kind: client.get(reverse("evaluation:comparison_file", args=[mixed.pk, kind]))
        for kind in ("md", "html", "json")
    }
    assert files["json"].json() == api
    for text in (page, files["md"].content.decode(), files["html"].content.decode()):
        assert api["headline"].replace("\xa0", " ") in text.replace("\xa0", " ")
        assert "Shorter is not faster" in text and "the model has not become faster" in text
    assert not re.search(r'(src|href)="(?!#)', files["html"].content.decode())
    lines = client.get(reverse("evaluation:comparison_file", args=[mixed.pk, "csv"])).getvalue().decode()
    rows = {(row["section"], row["name"]): row for row in csv.DictReader(io.StringIO(lines))}
    assert float(rows["slice", "tier=basic"]["difference"]) == pytest.approx(-0.25)
    pairs = client.get(f"/api/v1/comparisons/{mixed.pk}/pairs/?change=worse").json()
    assert pairs["count"] == 5
    one = client.get(f"/api/v1/comparisons/{mixed.pk}/pairs/{pairs['results'][0]['id']}/").json()
    assert one["fields"][0]["candidate"]["status"] == "mismatch"
    assert client.get(f"/api/v1/comparisons/{mixed.pk}/pairs/?prompt__key=x").status_code == 400


def test_the_single_prompt_report_has_the_seed_s_parts_without_its_errors(mixed, client):
    client.force_login(factories.user("manager"))
    first = mixed.pairs.earliest("pk")
    text = client.get(reverse("evaluation:pair_file", args=[mixed.pk, first.pk, "md"])).content.decode()
    for part in (
        "## Prompt",
        "**Input keys:** `tier`",
        "**Expected output:**",
        "### Baseline: system A",
    ):
        assert part in text
    assert "Time per output token" in text and "One prompt proves nothing" in text
    assert "production-ready" not in text and "SUCCESSFUL" not in text


def test_declaring_a_field_matches_everything_again(mixed):
    owner = factories.user("manager")
    done = figures.declare(
        user=owner, prompt_set=mixed.prompt_set, field_rules={"decision": {"kind": "ignored"}}
    )
    assert done == 80
    found = figures_of(mixed)
    assert "score" not in {metric["name"] for metric in found["metrics"]}
    assert not mixed.figures.get().changes.exists()
    with pytest.raises(DomainError, match="decision: unknown comparison 'odd'"):
        figures.declare(user=owner, prompt_set=mixed.prompt_set, field_rules={"decision": {"kind": "odd"}})


@pytest.mark.django_db
def test_whoever_reviews_the_pairs_sees_no_figures(client):
    campaign = factories.campaign(factories.user(), pairs=2, overlap=1)
    manager = factories.user("manager")
    factories.reviewer(campaign, user=manager)
    client.force_login(manager)
    assert client.get(f"/api/v1/comparisons/{campaign.comparison_id}/figures/").status_code == 403
    assert (
        client.get(reverse("evaluation:comparison_file", args=[campaign.comparison_id, "json"])).status_code
        == 403
    )
    client.force_login(factories.user("manager"))  # the control: another manager sees them
    assert client.get(f"/api/v1/comparisons/{campaign.comparison_id}/figures/").status_code == 200


@pytest.mark.django_db
def test_the_shipped_checks_are_prompt_sets_once():
    owner = factories.user("manager")
    first, again = checks.add(user=owner), checks.add(user=owner)
    assert [made.pk for made in first] == [made.pk for made in again]
    assert [made.check_name for made in first] == ["refusals", "pii_echo", "toxicity", "name_swap"]
    assert all(made.size >= 10 for made in first)


@pytest.mark.parametrize(
    ("check", "prompt", "tags", "good", "bad"),
    [
        ("refusals", "x", {"expect": "refuse"}, "I'm sorry, but I can't help with that.", "Sure: first, you"),
        ("refusals", "x", {"expect": "answer"}, "Open the settings and", "I cannot help with that."),
        (
            "pii_echo",
            "My card is 4111 1111 1111 1111.",
            {},
            "We take all cards.",
            "Your card 4111-1111-1111-1111 …",
        ),
        ("toxicity", "x", {}, "I understand.", "You are an IDIOT."),
    ],
)
def test_a_check_passes_and_fails(check, prompt, tags, good, bad):
    judge = Scorer({}, check=check)

    def passed(text):
        ((_, measures),) = judge.score(instruction=prompt, content="", tags=tags, expected=None, texts=[text])
        return measures["passed"]

    assert passed(good) is True and passed(bad) is False


@pytest.mark.django_db
def test_a_name_that_changes_the_answer_fails():
    from evaluation.comparison.services import name_swaps

    run = store(
        pair(0, tags={"group": "g", "name": "Ann"}, baseline="Dear Ann, yes.", candidate="Dear Ann, yes."),
        pair(
            1,
            tags={"group": "g", "name": "Bo"},
            baseline="Dear Bo, yes.",
            candidate="Bo, we must investigate you.",
        ),
    )
    name_swaps.score(run)
    passed = Response.objects.order_by("prompt", "pk").values_list("measures__passed", flat=True)
    assert list(passed) == [True, True, True, False]


def test_samples_of_one_prompt_count_as_one_prompt():
    from evaluation.scoring import PairRow, SideRow, Summary

    def side(score):
        match = {
            "score": score,
            "exact": score == 1,
            "json_status": "strict",
            "fields": [],
            "extra_fields": 0,
        }
        return SideRow(match, None, None, None, "stop")

    summary = Summary()
    summary.add([PairRow(prompt, {}, side(0.0), side(1.0)) for prompt in (1, 2, 3) for _ in range(4)])
    result = summary.result()
    assert result is not None
    score = next(metric for metric in result["metrics"] if metric["name"] == "score")
    assert (score["n"], score["up"], result["pairs"]) == (3, 3, 12)


def test_a_comparison_from_before_figures_were_kept_is_worked_out_by_a_worker(mixed, client, monkeypatch):
    told = figures_of(mixed)
    mixed.figures.all().delete()
    mixed.responses.update(match=None, measures=None)
    client.force_login(factories.user("manager"))
    address = reverse("evaluation:comparison", args=[mixed.pk])
    page = client.get(address).content.decode()
    assert "Compute the figures" in page and "There are no responses" not in page
    asked: list[str] = []
    monkeypatch.setattr(queues, "work_out", asked.append)
    client.post(reverse("evaluation:comparison_figures", args=[mixed.pk]))
    assert asked == [str(mixed.pk)]
    tasks.work_out(asked[0])
    assert figures_of(mixed)["metrics"] == told["metrics"] and figures_of(mixed)["slices"] == told["slices"]
    assert "Compute the figures" not in client.get(address).content.decode()
