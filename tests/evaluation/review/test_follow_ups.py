"""What follows an open result: the next planned stage, or a campaign that confirms it."""

import math
import zipfile

import pytest
from django.urls import reverse

from evaluation.models import Campaign, CampaignAction, Invite
from evaluation.report.exports import bundle
from evaluation.report.services import reports
from evaluation.review.selectors import counted_ratings, planned_analyses
from evaluation.review.selectors import follow_ups as reads
from evaluation.review.services import campaigns, follow_ups, invitations, ratings
from ftplatform.errors import DomainError
from tests import factories
from tests.evaluation.recomputed import recomputed

pytestmark = pytest.mark.django_db
EXTEND, CONFIRM = CampaignAction.EXTEND, CampaignAction.CONFIRM


def _analysed(of: Campaign) -> Campaign:
    """The campaign after ratings that know no model: always the left side."""
    factories.rate(of, 6, preference="left")
    reports.take_look(campaign=of, user=of.created_by)
    of.refresh_from_db()
    assert of.reports.get().result["verdict"] == "inconclusive"
    return of


def _open_result(prompts: int = 24, **options: object) -> Campaign:
    """An analysed campaign over twelve of its comparison's prompts that left the question open."""
    owner = factories.user()
    run = factories.comparison(owner, prompts)
    return _analysed(factories.campaign(owner, pairs=12, overlap=3, comparison=run, **options))


def _draft(of: Campaign, action: CampaignAction) -> Campaign:
    return Campaign.objects.get(pk=follow_ups.draft(campaign=of, user=of.created_by, action=action).pk)


def _refused(act) -> str:
    with pytest.raises(DomainError) as error:
        act()
    return str(error.value.code)


def test_two_stages_are_drafted_and_the_last_verdict_combines_all(tmp_path):
    first = _open_result(prompts=36, extensions=2)
    begun = first.reports.get().result
    assert begun["stages"]["extensible"] and begun["primary"]["significance_level"] < 0.025
    assert reads.state(first) == (True, True)
    last = first
    for number in (2, 3):
        following = _draft(last, EXTEND)
        assert following.title == f"Replies, stage {number}"
        campaigns.open_campaign(campaign=following, user=first.created_by)
        following.refresh_from_db()
        last = _analysed(following)
    result = last.reports.get().result
    stages = result["stages"]
    assert [one["campaign"] for one in stages["each"]] == ["Replies", "Replies, stage 2", ""]
    assert stages["each"][0]["log_odds"] == begun["stages"]["each"][0]["log_odds"]
    assert stages["z"] == pytest.approx(sum(one["z"] for one in stages["each"]) / math.sqrt(3))
    assert result["sentence"].startswith("Over stages 1, 2 and 3 combined, the result")
    assert result["provenance"]["follows"]["title"] == "Replies, stage 2"
    assert not stages["extensible"] and reads.state(last) == (True, False)
    with zipfile.ZipFile(bundle.bundle(report=last.reports.get(), user=last.created_by)) as archive:
        archive.extractall(tmp_path)
    assert "Over 3 stages: z" in recomputed(tmp_path)
    document = (tmp_path / "report.md").read_text()
    assert "Stages" in document and "1: Replies" in document and "Combined" in document
    used = [set(one.items.values_list("pair", flat=True)) for one in (*reads.before(last), last)]
    assert len(set.union(*used)) == 36


def test_a_plan_without_extensions_is_confirmed_and_says_what_that_costs(client):
    first = _open_result()
    assert reads.state(first) == (True, False)
    assert _refused(lambda: _draft(first, EXTEND)) == "wrong_status"
    following = _draft(first, CONFIRM)
    assert _draft(first, CONFIRM) == following, "a second draft could be chosen by its result"
    assert following.plan["confirms"] == ["Replies"] and following.plan["alpha"] == 0.05
    client.force_login(first.created_by)
    page = client.get(reverse("evaluation:campaign", args=[following.pk])).content.decode()
    assert "9.8\N{NO-BREAK SPACE}%" in page and "only its result" in page
    campaigns.open_campaign(campaign=following, user=first.created_by)
    following.refresh_from_db()
    result = _analysed(following).reports.get().result
    assert result["confirms"] == ["Replies"]
    assert any("“Replies” left open" in one["message"] for one in result["cautions"])
    assert reads.carried(following, extend=False)["confirms"] == ["Replies", "Replies, confirmation"]


def test_page_and_api_offer_and_draft_it(client):
    first = _open_result(extensions=1)
    client.force_login(first.created_by)
    address = reverse("evaluation:campaign", args=[first.pk])
    assert "Extend this campaign" in client.get(address).content.decode()
    assert client.get(f"/api/v1/campaigns/{first.pk}/").json()["allowed_actions"] == ["extend"]
    created = client.post(f"/api/v1/campaigns/{first.pk}/extend/")
    assert created.status_code == 201 and created.json()["follows"] == str(first.pk)
    following = Campaign.objects.get(pk=created.json()["id"])
    same = client.post(reverse("evaluation:campaign_extend", args=[first.pk]))
    assert same.url == reverse("evaluation:campaign", args=[following.pk])
    page = client.get(address).content.decode()
    assert "Extend this campaign" not in page and f'Followed by <a href="{same.url}">' in page
    draft = client.get(same.url).content.decode()
    assert "2 of at most 2" in draft and "about 16\N{NO-BREAK SPACE}% more ratings" in draft


def test_without_new_prompts_another_comparison_of_the_same_models_is_taken():
    first = _open_result(prompts=12)
    assert _refused(lambda: _draft(first, CONFIRM)) == "no_new_prompts"
    assert not hasattr(Campaign.objects.get(pk=first.pk), "followed_by")
    # Twelve of the twenty prompts have the content of those that were reviewed.
    run = factories.comparison(first.created_by, 20, models=[first.candidate])
    following = _draft(first, CONFIRM)
    assert (following.comparison, following.pairs_planned) == (run, 8)
    campaigns.open_campaign(campaign=following, user=first.created_by)
    contents = [
        {digest for _, _, digest in counted_ratings.with_digests(reads.prompts_of([one]))}
        for one in (first, following)
    ]
    assert [len(one) for one in contents] == [12, 8] and not contents[0] & contents[1]


@pytest.mark.parametrize(
    "change", [{"margin": 0.1}, {"extensions": 2}, {"exclude_flags": ["too_fast"]}, {"watched": True}]
)
def test_a_later_stage_keeps_the_analysis(change):
    following = _draft(_open_result(extensions=1), EXTEND)
    code = _refused(lambda: campaigns.update_draft(campaign=following, user=following.created_by, **change))
    assert code in ("stage_frozen", "invalid_plan")


def test_sizes_of_a_later_stage_are_free_and_models_are_not():
    following = _draft(_open_result(extensions=1), EXTEND)
    owner = following.created_by
    changed = campaigns.update_draft(campaign=following, user=owner, pairs=7, overlap=5, title="More")
    plan = planned_analyses.read_plan(changed.plan)
    assert (plan.planned_ratings, len(plan.earlier), plan.extensions) == (35, 1, 1)
    other = factories.comparison(owner, 5)
    values = {"comparison": other, "candidate": other.candidate, "pairs": 5}
    code = _refused(lambda: campaigns.update_draft(campaign=following, user=owner, **values))
    assert code == "other_models"


def test_who_took_part_before_is_turned_away(client):
    owner = factories.user()
    crowd = {"preset": "prolific", "codes": {"completed": "A"}}
    run = factories.comparison(owner, 24)
    first = factories.campaign(owner, pairs=12, overlap=3, comparison=run, crowd=crowd, extensions=1)
    invited = ["ann@example.org", "bob@example.org"]
    personal = invitations.invite_people(campaign=first, user=owner, addresses=invited)
    invitations.join(code=personal[0].code)
    shared = f"/r/{first.invites.get(email='').code}/"
    client.post(f"{shared}?PROLIFIC_PID=p1")
    _analysed_with(first)
    following = _draft(first, EXTEND)
    campaigns.open_campaign(campaign=following, user=owner)
    # Ann took part; Bob was invited and did not.

    def invite(addresses: list[str]) -> list[Invite]:
        return invitations.invite_people(campaign=following, user=owner, addresses=addresses)

    assert _refused(lambda: invite(invited)) == "invalid_addresses"
    assert not following.invites.exclude(email="").exists()
    assert len(invite(invited[1:])) == 1
    shared = f"/r/{following.invites.get(email='').code}/"
    page = client.get(f"{shared}?PROLIFIC_PID=p9")
    assert page.status_code == 403 and "earlier review" in page.content.decode(), "the browser is known"
    client.cookies.clear()
    assert client.post(f"{shared}?PROLIFIC_PID=p1").status_code == 403
    assert client.post(f"{shared}?PROLIFIC_PID=p2").status_code == 302


def _analysed_with(campaign: Campaign) -> None:
    shared = campaign.invites.get(email="").code
    panel = [
        invitations.join(code=shared, participant={"PROLIFIC_PID": f"q{number}"})[0] for number in range(6)
    ]
    for reviewer in panel:
        for _ in range(6):
            token = factories.lease(reviewer).token
            answer = factories.answer(campaign)
            ratings.submit(reviewer=reviewer, token=token, answer=answer)
    reports.take_look(campaign=campaign, user=campaign.created_by)


def test_reviewers_whom_nobody_can_recognise_are_named_in_the_report():
    following = _draft(_open_result(extensions=1), EXTEND)
    campaigns.open_campaign(campaign=following, user=following.created_by)
    following.refresh_from_db()
    codes = {one["code"]: one["message"] for one in _analysed(following).reports.get().result["cautions"]}
    assert codes["reviewers_unknown"].startswith("6 reviewers joined by a shared link")
