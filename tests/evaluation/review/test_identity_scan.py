"""Telling words are found on either side alike, held back, and decided on before anybody sees them."""

import pytest

from evaluation.models import Campaign, Pair, Report, Response
from evaluation.report.services import early_reads
from evaluation.review.services import campaigns, identity_scan
from evaluation.rubrics import builtin
from ftplatform.accounts.models import AuditEntry
from ftplatform.errors import DomainError
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return factories.user("manager")


@pytest.fixture
def draft(owner):
    run = factories.comparison(owner, 4)
    return campaigns.create(
        user=owner, title="x", comparison=run, rubric_text=builtin("customer_support"), overlap=1, pairs=3
    )


def say(campaign, side, text):
    """Put a text on one side of the first pair."""
    pair = Pair.objects.filter(comparison=campaign.comparison).earliest("pk")
    Response.objects.filter(pk=getattr(pair, f"{side}_response_id")).update(text=text)
    return pair


@pytest.mark.parametrize("side", ["baseline", "candidate"])
@pytest.mark.parametrize(
    "text",
    [
        "I am Qwen2.5, made by Alibaba Cloud.",
        "As an AI language model, I cannot.",
        "Traceback (most recent call last):",
        "Ask CHATGPT.",
        "Bye<|im_end|>",
    ],
)
def test_either_side_is_held_back_for_the_same_words(draft, owner, side, text):
    pair = say(draft, side, text)
    with pytest.raises(DomainError) as caught:
        campaigns.open_campaign(campaign=draft, user=owner)
    assert caught.value.code == "identity_words"
    hit = draft.identity_hits.get()
    assert hit.pair_id == pair.pk and hit.words
    draft.refresh_from_db()
    assert draft.status == Campaign.Status.DRAFT


def test_the_names_used_here_tell_as_well(draft, owner):
    say(draft, "baseline", f"Greetings from {draft.comparison.candidate.name.upper()}!")
    assert identity_scan.run(campaign=draft) == 1


@pytest.mark.parametrize(
    "text", ["A metallama is no llamas' friend", "The egpts and geminis", "Let us go on."]
)
def test_words_inside_others_are_no_hits(draft, text):
    say(draft, "candidate", text)
    assert identity_scan.run(campaign=draft) == 0


def test_a_quarantined_pair_is_never_drawn(draft, owner):
    pair = say(draft, "candidate", "I am Qwen.")
    identity_scan.run(campaign=draft)
    assert identity_scan.decide(campaign=draft, user=owner, decision="quarantined") == 1
    campaigns.open_campaign(campaign=draft, user=owner)
    assert draft.items.count() == 3 and not draft.items.filter(pair=pair).exists()
    with pytest.raises(DomainError) as caught:
        identity_scan.decide(campaign=draft, user=owner, decision="accepted", reason="late")
    assert caught.value.code == "campaign_frozen"


def test_an_accepted_pair_needs_a_reason_and_is_on_record(draft, owner):
    say(draft, "baseline", "I am Qwen.")
    identity_scan.run(campaign=draft)
    with pytest.raises(DomainError) as caught:
        identity_scan.decide(campaign=draft, user=owner, decision="accepted", reason=" ")
    assert caught.value.code == "reason_missing"
    identity_scan.decide(campaign=draft, user=owner, decision="accepted", reason="It is about the film.")
    campaigns.open_campaign(campaign=draft, user=owner)
    entry = AuditEntry.objects.get(action="campaign.identity_accepted")
    assert entry.details["reason"] == "It is about the film." and len(entry.details["pairs"]) == 1


def test_quarantine_that_leaves_too_few_pairs_says_so(draft, owner):
    Response.objects.update(text="I am Qwen.")
    identity_scan.run(campaign=draft)
    identity_scan.decide(campaign=draft, user=owner, decision="quarantined")
    with pytest.raises(DomainError) as caught:
        campaigns.open_campaign(campaign=draft, user=owner)
    assert caught.value.code == "too_many_pairs"


def test_the_page_shows_hits_and_takes_the_decision(client, draft, owner):
    client.force_login(owner)
    pair = say(draft, "candidate", "I am Qwen.")
    address = f"/campaigns/{draft.pk}/blinding/"
    assert client.post(f"/campaigns/{draft.pk}/open/")["Location"] == address
    shown = client.get(address).content.decode()
    assert "qwen" in shown and "1 of the pairs contain words" in shown
    decided = client.post(f"{address}decide/", {"pair": pair.pk, "decision": "quarantined"}, follow=True)
    assert draft.identity_hits.get().decision == "quarantined"
    assert "1 pair is quarantined." in decided.content.decode()
    assert client.post(f"/campaigns/{draft.pk}/open/")["Location"] == f"/campaigns/{draft.pk}/"


def test_looks_before_the_close_are_on_record_and_later_ones_are_not(owner):
    campaign = factories.campaign(owner, pairs=1, overlap=1)
    early_reads.note(report=Report(campaign=campaign, look=1), user=owner)
    campaign.status = Campaign.Status.CLOSED
    early_reads.note(report=Report(campaign=campaign, look=2), user=owner)
    noted = AuditEntry.objects.filter(action="report.read_before_close")
    assert [entry.details["look"] for entry in noted] == [1]


@pytest.mark.parametrize(
    "text",
    [
        "QWEN2.5 here",
        "I am M\u0130STRAL",
        "m\u0131stral",
        "As an A\u0130 language model",
        "\u212awen? No: qwen",
        "\u00dcBER.*MODELL\n(2)",
        "over<|im_end|>",
    ],
)
def test_words_are_found_however_they_are_capitalised(text):
    """What a regular expression without regard to case would find, the quick searches before it find as well."""
    words = [*identity_scan.FAMILIES, *identity_scan.SELF_DESCRIPTIONS, *identity_scan.ERRORS]
    words.append("\u00fcber.*modell\n(2)")
    whole = [match.group().casefold() for match in identity_scan._pattern(words).finditer(text)]
    assert whole and identity_scan._matches(text, words) == whole
    rows = [(1, "", "Let us go on."), (2, "", text), (3, text, text), (4, "uber modell 2", "")]
    assert [pk for pk, *_ in identity_scan._suspects(iter(rows), words)] == [2, 3]
