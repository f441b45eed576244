"""Pages of campaigns, people, plans and rubrics as a manager uses them."""

import csv
import html
import re

import pytest
from django.urls import reverse

from evaluation.models import Campaign, Invite, Reviewer, RubricVersion
from evaluation.review.forms.campaigns import initial_of
from evaluation.review.services import assignments, campaigns, invitations, pay, ratings, rubric_library
from evaluation.review.views.campaign_facts import facts
from tests import factories

pytestmark = pytest.mark.django_db
PROLIFIC = {"preset": "prolific", "codes": {"completed": "C1", "screened_out": "C2", "failed": "C3"}}


@pytest.fixture
def owner(client):
    user = factories.user("manager")
    client.force_login(user)
    return user


@pytest.fixture
def draft(owner):
    run = factories.comparison(owner, 8)
    return campaigns.create(
        user=owner, title="Draft", comparison=run, rubric_text=factories.RUBRIC, overlap=2, pairs=4
    )


def page(name, *args):
    return reverse(f"evaluation:{name}", args=args)


def filled(campaign, **changes):
    """The campaign's form as a browser would send it."""
    given = {name: value for name, value in initial_of(campaign).items() if value not in (None, [])}
    return {name: value for name, value in given.items() if value is not False} | changes


def test_a_draft_is_edited_with_everything_it_had(client, draft):
    answer = client.post(page("campaign_edit", draft.pk), filled(draft, overlap=3, quality_every=5))
    assert answer.status_code == 302
    draft.refresh_from_db()
    assert (draft.overlap, draft.quality_every, draft.plan["planned_ratings"]) == (3, 5, 12)


def test_what_is_wrong_stands_at_its_field(client, draft):
    wrong = {"crowd_preset": "prolific", "crowd_captured": "a b", "hourly_pay": "12"}
    answer = client.post(page("campaign_edit", draft.pk), filled(draft, **wrong))
    assert answer.status_code == 400
    assert set(answer.context["form"].errors) == {"currency"}
    answer = client.post(page("campaign_edit", draft.pk), filled(draft, **wrong, currency="eur"))
    assert set(answer.context["form"].errors) == {"crowd_captured"}
    answer = client.post(page("campaign_edit", draft.pk), filled(draft, rubric_text="## A\n{type: form"))
    assert "Line 2, column 1" in str(answer.context["form"].errors["rubric_text"])


def test_a_frozen_campaign_cannot_be_edited(client, draft, owner):
    campaigns.open_campaign(campaign=draft, user=owner)
    answer = client.post(page("campaign_edit", draft.pk), filled(draft, overlap=3))
    assert answer.status_code == 400 and "frozen" in answer.content.decode()
    draft.refresh_from_db()
    assert draft.overlap == 2


def test_a_campaign_is_amended_on_record(client, draft, owner):
    campaigns.open_campaign(campaign=draft, user=owner)
    assert client.post(page("campaign_amend", draft.pk), {"overlap": 3}).status_code == 400
    answer = client.post(page("campaign_amend", draft.pk), {"overlap": 3, "reason": "more came"})
    assert answer.status_code == 302
    assert "more came" in client.get(page("campaign", draft.pk)).content.decode()


def test_closing_early_needs_a_reason(client, draft, owner):
    campaigns.open_campaign(campaign=draft, user=owner)
    answer = client.post(page("campaign_close", draft.pk), {"reason": " "})
    assert answer.status_code == 400 and Campaign.objects.get().status == "open"
    client.post(page("campaign_close", draft.pk), {"reason": "the pilot said enough"})
    assert Campaign.objects.get().close_reason == "the pilot said enough"


def test_practice_comes_from_the_shelf_or_from_a_pair_and_is_never_drawn(client, draft, owner):
    client.post(page("practice", draft.pk), {"shipped": "customer_support"})
    pair = draft.comparison.pairs.first()
    shown = client.get(page("practice", draft.pk) + f"?pair={pair.pk}").context["form"].initial
    answer = client.post(page("practice", draft.pk), shown | {"expected": ["left"], "explanation": "So."})
    assert answer.status_code == 302
    draft.refresh_from_db()
    assert len(draft.practice) == 4 and draft.practice[-1]["pair"] == pair.pk
    campaigns.update_draft(campaign=draft, user=owner, pairs=7)
    campaigns.open_campaign(campaign=draft, user=owner)
    assert pair.pk not in draft.items.values_list("pair", flat=True)


def test_people_are_invited_and_links_downloaded(client, draft, owner):
    campaigns.open_campaign(campaign=draft, user=owner)
    answer = client.post(page("invite_people", draft.pk), {"addresses": "a@example.org\nnobody"})
    assert answer.status_code == 400 and "Line 2" in answer.content.decode()
    client.post(page("invite_people", draft.pk), {"addresses": "a@example.org\n\nb@example.org", "days": 3})
    rows = list(csv.DictReader(_text(client.get(page("links_csv", draft.pk)))))
    assert [row["email"] for row in rows] == ["a@example.org", "b@example.org"]
    assert rows[0]["link"].endswith(f"/r/{Invite.objects.get(email='a@example.org').code}/")


def _text(answer):
    return b"".join(answer.streaming_content).decode().splitlines()


def test_a_paid_campaign_is_settled(client, owner):
    campaign = factories.campaign(owner, 4, 1, crowd=PROLIFIC, hourly_pay=12, currency="GBP")
    reviewer = factories.reviewer(campaign, participant={"PROLIFIC_PID": "p1"})
    while current := assignments.next_for(reviewer=reviewer):
        ratings.submit(reviewer=reviewer, token=current.token, answer=factories.answer(campaign))
    shown = client.get(page("people", campaign.pk)).content.decode()
    assert "p1" in shown and "Completed" in shown
    client.post(page("set_pay", campaign.pk, 1), {"pay": "refused"})
    assert Reviewer.objects.get().pay == "open"
    client.post(page("approve_pay", campaign.pk))
    assert Reviewer.objects.get().pay == "approved"
    (row,) = csv.DictReader(_text(client.get(page("reconciliation_csv", campaign.pk))))
    assert (row["participant"], row["code"], row["pay"]) == ("p1", "C1", "approved")
    client.post(page("erase_reviewer", campaign.pk, 1))
    assert Reviewer.objects.get().external_id == ""


@pytest.mark.parametrize(
    ("settings", "label", "text"),
    [
        ({"edit_minutes": 0}, "Editing", "off"),
        ({"edit_minutes": 5}, "Editing", "allowed for 5 min"),
        ({"edit_minutes": None}, "Editing", "allowed until the campaign closes"),
        (
            {"max_per_reviewer": 2000, "max_per_hour": 5},
            "Limit per reviewer",
            "2,000 pairs in total, 5 pairs per hour",
        ),
        ({"language": "de"}, "Page language", "Deutsch"),
        ({"hourly_pay": 12, "currency": "EUR"}, "Pay", "12 EUR per hour"),
    ],
)
def test_settings_are_listed_as_text(draft, settings, label, text):
    for name, value in settings.items():
        setattr(draft, name, value)
    assert dict(facts(draft))[label] == text


@pytest.mark.parametrize(("failed", "expected"), [(1, {"approved"}), (2, {"approved", "refused"})])
def test_pay_can_be_refused_only_after_two_failed_checks(failed, expected):
    assert pay.decisions(Reviewer(), failed) == expected
    assert pay.decisions(Reviewer(pay="approved"), failed) == expected - {"approved"}
    assert pay.decisions(Reviewer(is_simulated=True), failed) == set()


def test_the_table_of_reviewers_costs_the_same_for_many(client, owner, django_assert_max_num_queries):
    campaign = factories.campaign(owner, 6, 3, quality_every=2)
    for _ in range(3):
        reviewer = factories.reviewer(campaign)
        current = factories.lease(reviewer)
        ratings.submit(reviewer=reviewer, token=current.token, answer=factories.answer(campaign))
    with django_assert_max_num_queries(24):
        assert client.get(page("people", campaign.pk)).status_code == 200


def test_a_plan_says_what_it_takes_in_words_and_a_chart(client, owner):
    asked = "?effect=8&pairs=100&overlap=3&reviewers=20&panel=crowd&seconds=60&hourly_pay=12&currency=EUR"
    shown = client.get(page("campaign_plan") + asked).content.decode()
    assert "To detect 8 points you need" in shown and "<svg" in shown and "60.00" in shown
    assert client.get(page("campaign_plan") + "?effect=0&pairs=x").status_code == 400
    assert client.get(page("campaign_plan")).status_code == 200


def test_the_editor_follows_what_is_typed_and_versions_never_change(client, owner):
    preview = client.post(page("rubric_preview"), {"text": factories.RUBRIC}).content.decode()
    assert "Empathy" in preview and "criterion in the report" in preview
    assert "column 1" in client.post(page("rubric_preview"), {"text": "{type: form"}).content.decode()
    client.post(page("rubric_edit"), {"name": "Replies", "text": factories.RUBRIC})
    client.post(page("rubric_edit"), {"name": "Replies", "text": factories.RUBRIC})
    client.post(page("rubric_edit"), {"name": "Replies", "text": factories.RUBRIC + "\n"})
    assert list(RubricVersion.objects.values_list("number", flat=True)) == [2, 1]
    assert client.post(page("rubric_edit"), {"name": "R", "text": "{type: form"}).status_code == 400


def test_every_shipped_rubric_can_be_copied_and_used(client, owner):
    for name in rubric_library.shipped():
        assert client.get(page("rubric_edit") + f"?shipped={name}").status_code == 200
        text = rubric_library.shipped_text(name)
        made = factories.campaign(owner, 2, 1, rubric_text=text)
        assert made.status == "open"
    assert {"customer_support", "instruction_following", "safety"} <= set(rubric_library.shipped())
    assert client.get(page("rubric_edit") + "?shipped=../settings").status_code == 404


def test_a_link_that_is_withdrawn_ends_at_once(client, draft, owner):
    campaigns.open_campaign(campaign=draft, user=owner)
    invite = invitations.add_link(campaign=draft, user=owner, max_reviewers=5)
    client.post(page("withdraw", draft.pk, invite.pk))
    client.logout()
    assert client.get(f"/r/{invite.code}/").status_code == 410


def test_a_refusal_leads_back_to_where_the_form_was(client, draft, owner):
    campaigns.open_campaign(campaign=draft, user=owner)

    def refused(referer):
        answer = client.post(
            page("campaign_close", draft.pk), headers={"Referer": referer} if referer else {}
        )
        assert answer.status_code == 400
        return answer.content.decode()

    form = f"http://testserver{page('campaign', draft.pk)}"
    assert f'href="{form}"' in refused(form)
    for other in ("https://evil.example/", "javascript:alert(1)", "//evil.example/", ""):
        text = refused(other)
        assert "evil" not in text and "alert" not in text and ">Back<" not in text


def test_a_pilot_leads_to_the_plan_and_to_no_analysis(client, owner):
    pilot = factories.campaign(owner, pairs=2, overlap=1, is_pilot=True)
    shown = page("campaign", pilot.pk)
    plan = page("campaign_plan")
    assert f"{plan}?" not in client.get(shown).content.decode()
    reviewer = factories.reviewer(pilot)
    while (current := assignments.next_for(reviewer=reviewer)) is not None:
        ratings.submit(reviewer=reviewer, token=current.token, answer=factories.answer(pilot))
    text = client.get(shown).content.decode()
    assert page("take_look", pilot.pk) not in text
    (address,) = re.findall(rf'href="({plan}\?[^"]+)"', text)
    answer = client.get(html.unescape(address))
    assert answer.status_code == 200 and "From the pilot: 2 ratings" in answer.content.decode()


@pytest.mark.parametrize("complete", [False, True])
def test_the_page_requires_a_reason_only_for_closing_early(client, complete):
    owner = factories.user()
    campaign = factories.rated_campaign() if complete else factories.campaign(owner)
    client.force_login(owner)
    answer = client.get(reverse("evaluation:campaign", args=[campaign.pk]))
    assert answer.context["close_form"].fields["reason"].required is not complete
