"""The addresses that the API gives away for a campaign on a crowd platform: the same as its pages do."""

import json

import pytest

from tests import factories

pytestmark = pytest.mark.django_db
PROLIFIC = {"preset": "prolific", "codes": {"completed": "C1", "screened_out": "C2", "failed": "C3"}}


@pytest.fixture
def owner():
    return factories.user("manager")


@pytest.fixture
def post(client, owner):
    client.force_login(owner)

    def call(path, body=None):
        answer = client.post(f"/api/v1/campaigns/{path}", json.dumps(body or {}), "application/json")
        assert answer.status_code in (200, 201), answer.content
        return answer.json()

    return call


@pytest.fixture
def draft(post, owner):
    def make(**options):
        run = factories.comparison(owner, prompts=2)
        known = {"title": "Replies", "run": str(run.pk), "rubric_text": factories.RUBRIC, "overlap": 1}
        return post("", known | options)["id"]

    return make


def test_a_shared_link_has_places_for_the_platforms_participant_a_personal_one_has_not(client, post, draft):
    made = draft(crowd=PROLIFIC)
    opened = post(f"{made}/open/")
    (shared,) = post(f"{made}/invites/", {"max_reviewers": 5})["invites"]
    (personal,) = post(f"{made}/invites/", {"addresses": ["ann@example.org"]})["invites"]
    place = "?PROLIFIC_PID={{%PROLIFIC_PID%}}&STUDY_ID={{%STUDY_ID%}}&SESSION_ID={{%SESSION_ID%}}"
    assert opened["invite_url"] == f"http://testserver/r/{opened['invite_code']}/{place}"
    assert shared["url"] == f"http://testserver/r/{shared['code']}/{place}"
    assert personal["url"] == f"http://testserver/r/{personal['code']}/"
    page = client.get(f"/campaigns/{made}/people/").content.decode()
    assert shared["url"].replace("&", "&amp;") in page


def test_without_a_platform_a_link_is_bare(post, draft):
    opened = post(f"{draft()}/open/")
    assert opened["invite_url"] == f"http://testserver/r/{opened['invite_code']}/"
