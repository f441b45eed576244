"""Every page and endpoint, requested by every kind of visitor."""

from html.parser import HTMLParser

import pytest
from django.urls import reverse

from evaluation.review.services import rubric_library
from ftplatform.accounts.services import issue_token
from tests import factories

pytestmark = pytest.mark.django_db

# Page fragments and downloads.
WITHOUT_NAVIGATION = {"training:run_curves", "training:run_log", "training:run_facts", "training:model_card"}
ADMIN_ONLY = {"training:dataset_new", "training:model_new", "training:run_new", "accounts:users"}
STAFF = {
    "training:datasets",
    "training:dataset",
    "training:models",
    "training:model",
    "training:model_card",
    "training:runs",
    "training:run",
    "training:run_curves",
    "training:run_log",
    "training:run_facts",
    "accounts:tokens",
    "evaluation:analyse",
    "evaluation:import_ratings",
    "evaluation:overview",
    "evaluation:ranking",
    "evaluation:prompt_sets",
    "evaluation:prompt_set_new",
    "evaluation:comparisons",
    "evaluation:comparison_new",
    "evaluation:comparison",
    "evaluation:pair",
    "evaluation:campaigns",
    "evaluation:campaign_new",
    "evaluation:campaign_plan",
    "evaluation:blinding",
    "evaluation:campaign",
    "evaluation:campaign_edit",
    "evaluation:campaign_amend",
    "evaluation:practice",
    "evaluation:people",
    "evaluation:rubrics",
    "evaluation:rubric",
    "evaluation:rubric_edit",
}
POSTS = {
    "training:run_cancel": "admin",
    "training:model_verify": "admin",
    "training:model_merge": "admin",
    "training:model_stage": "admin",
    "training:model_licence": "admin",
    "training:model_job_cancel": "admin",
    "training:run_pause": "admin",
    "training:run_resume": "admin",
    "training:run_prioritise": "admin",
    "training:run_retry": "admin",
    "training:run_discard_checkpoints": "admin",
    "evaluation:comparison_cancel": "manager",
    "evaluation:comparison_again": "manager",
    "evaluation:comparison_without": "manager",
    "evaluation:comparison_figures": "manager",
    "evaluation:blinding_scan": "manager",
    "evaluation:blinding_decide": "manager",
    "evaluation:comparison_pause": "manager",
    "evaluation:comparison_resume": "manager",
    "evaluation:campaign_open": "manager",
    "evaluation:campaign_open_cancel": "manager",
    "evaluation:campaign_pause": "manager",
    "evaluation:campaign_replace_invite": "manager",
    "evaluation:campaign_resume": "manager",
    "evaluation:campaign_extend": "manager",
    "evaluation:campaign_confirm": "manager",
    "evaluation:campaign_close": "manager",
    "evaluation:invite_people": "manager",
    "evaluation:add_link": "manager",
    "evaluation:send_invitations": "manager",
    "evaluation:withdraw": "manager",
    "evaluation:returned": "manager",
    "evaluation:approve_pay": "manager",
    "evaluation:set_pay": "manager",
    "evaluation:erase_reviewer": "manager",
    "evaluation:practice_remove": "manager",
    "evaluation:rubric_preview": "manager",
    "evaluation:take_look": "manager",
    "evaluation:analysis_download": "manager",
}


@pytest.fixture
def world():
    owner = factories.user()
    campaign = factories.campaign(owner, pairs=2, overlap=1)
    run = factories.training_run(owner)
    reviewer = factories.reviewer(campaign)
    return {
        **{
            name: [campaign.pk]
            for name in (
                *("campaign_edit", "campaign_amend", "practice", "people", "invite_people", "add_link"),
                *("send_invitations", "returned", "approve_pay"),
            )
        },
        **{name: [campaign.pk, reviewer.number] for name in ("set_pay", "erase_reviewer")},
        "withdraw": [campaign.pk, campaign.invites.get().pk],
        "practice_remove": [campaign.pk, 0],
        "rubric": [rubric_library.save(user=owner, name="Replies", text=factories.RUBRIC).pk],
        "dataset": [run.dataset_id],
        "model": [run.base_model_id],
        **{f"model_{name}": [run.base_model_id] for name in ("card", "verify", "merge", "stage", "licence")},
        "model_job_cancel": [run.pk],
        "run": [run.pk],
        **{
            f"run_{name}": [run.pk]
            for name in ("curves", "log", "facts", "cancel", "pause", "resume", "prioritise", "retry")
        },
        "run_discard_checkpoints": [run.pk],
        "comparison": [campaign.comparison_id],
        "comparison_cancel": [campaign.comparison_id],
        "comparison_again": [campaign.comparison_id],
        "comparison_without": [campaign.comparison_id],
        "comparison_figures": [campaign.comparison_id],
        "comparison_pause": [campaign.comparison_id],
        "comparison_resume": [campaign.comparison_id],
        "pair": [campaign.comparison_id, campaign.comparison.pairs.earliest("pk").pk],
        **{
            name: [campaign.pk]
            for name in (
                "campaign",
                "blinding",
                "blinding_scan",
                "blinding_decide",
                "campaign_open",
                "campaign_open_cancel",
                "campaign_confirm",
                "campaign_extend",
                "campaign_pause",
                "campaign_replace_invite",
                "campaign_resume",
            )
        },
        **{name: [campaign.pk] for name in ("campaign_close", "take_look", "report")},
    }


def address(name, world):
    return reverse(name, args=world.get(name.partition(":")[2], []))


@pytest.mark.parametrize("name", sorted(STAFF | ADMIN_ONLY))
def test_pages_let_in_whom_they_should(client, world, name):
    def status(role):
        client.logout()
        if role:
            client.force_login(factories.user(role))
        return client.get(address(name, world)).status_code

    allowed = ["admin"] if name in ADMIN_ONLY else ["admin", "manager"]
    assert {role: status(role) for role in (None, "reviewer", "manager", "admin")} == {
        None: 302,
        "reviewer": 403,
        "manager": 200 if "manager" in allowed else 403,
        "admin": 200,
    }


@pytest.mark.parametrize("name", sorted(POSTS))
def test_what_changes_things_needs_a_post_and_a_role(client, world, name):
    client.force_login(factories.user(POSTS[name]))
    assert client.get(address(name, world)).status_code == 405
    client.force_login(factories.user("reviewer"))
    assert client.post(address(name, world)).status_code == 403
    client.logout()
    assert client.post(address(name, world)).status_code == 302


def test_a_post_without_its_csrf_token_is_refused(world):
    from django.test import Client

    strict = Client(enforce_csrf_checks=True)
    strict.force_login(factories.user("manager"))
    assert strict.post(address("evaluation:campaign_close", world)).status_code == 403


LISTS = ["datasets", "models", "training-runs", "prompt-sets", "comparisons", "campaigns"]


def bearer(role, *scopes):
    _, key = issue_token(user=factories.user(role), name="t", scopes=list(scopes), days=1)
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.parametrize("name", LISTS)
def test_lists_need_a_token_with_the_read_scope(client, world, name):
    def status(headers=None):
        return client.get(f"/api/v1/{name}/", headers=headers).status_code

    assert status() == 401
    assert status({"Authorization": "Bearer ftp_wrong"}) == 401
    assert status(bearer("manager", "evaluate")) == 403
    assert status(bearer("reviewer", "read")) == 403
    assert status(bearer("manager", "read")) == 200


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize(
    "query", ["created_by__password__regex=^a", "ordering=created_by", "_connector=OR", "created_by__email=x"]
)
def test_lists_refuse_filters_that_they_do_not_name(client, world, name, query):
    answer = client.get(f"/api/v1/{name}/?{query}", headers=bearer("manager", "read"))
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid" and answer["Content-Type"] == "application/problem+json"


def test_a_manager_cannot_launch_training_even_with_the_scope(client, world):
    answer = client.post("/api/v1/training-runs/", {}, "application/json", headers=bearer("manager", "train"))
    assert answer.status_code == 403


def test_a_revoked_token_is_dead(client, world):
    headers = bearer("manager", "read")
    from ftplatform.accounts.models import ApiToken
    from ftplatform.accounts.services import revoke_token

    token = ApiToken.objects.get()
    revoke_token(user=token.user, token=token)
    assert client.get("/api/v1/datasets/", headers=headers).status_code == 401


def test_only_the_hash_of_a_token_is_kept():
    token, key = issue_token(user=factories.user(), name="t", scopes=["read"], days=1)
    stored = {field.name: str(getattr(token, field.name)) for field in token._meta.fields}
    assert key not in stored.values() and token.digest != key


def test_a_manager_who_reviews_loses_the_report_until_the_campaign_closes(client):
    from evaluation.report.services import reports
    from evaluation.review.services import campaigns

    owner, manager = factories.user(), factories.user("manager")
    campaign = factories.campaign(owner, pairs=2, overlap=1, looks=(0.5, 1.0))
    reviewer = factories.reviewer(campaign, user=manager)
    from evaluation.review.services import ratings

    current = factories.lease(reviewer)
    ratings.submit(reviewer=reviewer, token=current.token, answer=factories.answer(campaign))
    reports.take_look(campaign=campaign, user=owner)
    client.force_login(manager)
    page = reverse("evaluation:report", args=[campaign.pk])
    assert client.get(page).status_code == 403
    campaigns.close(campaign=campaign, user=owner, reason="done")
    assert client.get(page).status_code == 200


def test_who_reviews_learns_no_side_from_another_campaign_over_the_same_pairs(client):
    from evaluation.report.services import reports
    from evaluation.review.services import campaigns

    owner, manager = factories.user(), factories.user("manager")
    ended = factories.rated_campaign(pairs=4, reviewers=3)
    campaigns.close(campaign=ended, user=owner, reason="")
    reports.take_look(campaign=ended, user=owner)
    under_way = factories.campaign(owner, pairs=4, overlap=1, comparison=ended.comparison)
    elsewhere = factories.campaign(owner, pairs=2, overlap=1)
    client.force_login(manager)
    pages = [f"/campaigns/{ended.pk}/{name}" for name in ("report/", "report/1/", "report/1/export.zip")]
    pages += [f"/campaigns/{ended.pk}/ratings-unblinded.csv", f"/api/v1/campaigns/{ended.pk}/report/"]

    def statuses():
        return {client.get(page).status_code for page in pages}

    factories.reviewer(elsewhere, user=manager)
    assert statuses() == {200}
    factories.reviewer(under_way, user=manager)
    assert statuses() == {403}
    sentence = ended.reports.get().result["sentence"][:40]
    assert sentence not in client.get("/overview/").content.decode()
    assert sentence not in client.get(f"/campaigns/{ended.pk}/").content.decode()
    campaigns.close(campaign=under_way, user=owner, reason="done")
    assert statuses() == {200}


def test_the_security_headers_are_on_every_page(client):
    answer = client.get(reverse("account_login"))
    policy = answer["Content-Security-Policy"]
    for directive in (
        "default-src 'self'",
        "script-src 'self'",
        "object-src 'none'",
        "frame-ancestors 'none'",
    ):
        assert directive in policy
    assert "unsafe" not in policy
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil.example"])
def test_sign_in_never_leads_to_another_site(client, target):
    user = factories.user()
    user.set_password("correct horse battery")
    user.save()
    answer = client.post(
        reverse("account_login"), {"login": user.email, "password": "correct horse battery", "next": target}
    )
    assert answer.status_code == 302 and "evil" not in answer["Location"]


def test_nobody_can_sign_up(client):
    from ftplatform.accounts.models import User

    client.post(reverse("account_signup"), {"email": "x@example.org", "password1": "correct horse battery"})
    assert not User.objects.exists()


class Forms(HTMLParser):
    """Counts the forms of a page that POST, and how many of them have a CSRF token."""

    def __init__(self) -> None:
        super().__init__()
        self.posting = self.protected = 0
        self._inside = False

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "form":
            self._inside = given.get("method", "").lower() == "post"
            self.posting += self._inside
        elif tag == "input" and given.get("name") == "csrfmiddlewaretoken" and self._inside:
            self.protected += 1
            self._inside = False


@pytest.mark.parametrize("name", sorted((STAFF | ADMIN_ONLY) - WITHOUT_NAVIGATION))
def test_every_form_carries_its_token(client, world, name):
    from evaluation.models import Campaign

    client.force_login(factories.user())
    counted = Forms()
    for status in ("open", "draft") if name == "evaluation:campaign" else ("open",):
        if status == "draft":
            Campaign.objects.update(status="draft", opened_at=None)
        counted.feed(client.get(address(name, world)).content.decode())
    assert counted.posting >= 1  # the sign-out form is one
    assert counted.protected == counted.posting
