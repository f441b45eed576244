"""Names of version 0.1 in addresses, bodies and filters still work: redirected or read, never a server error."""

import pytest

from ftplatform.api.old_names import with_new_names
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("generation-runs/", "comparisons/"),
        ("generation-runs/?page=2", "comparisons/?page=2"),
        ("generation-runs/{run}/", "comparisons/{run}/"),
        ("generation-runs/{run}/comparison/?candidate=x", "comparisons/{run}/figures/?candidate=x"),
        ("generation-runs/{run}/pairs/1/", "comparisons/{run}/pairs/1/"),
        ("prompt-sets/{run}/comparisons/", "prompt-sets/{run}/field-rules/"),
    ],
)
@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_an_old_path_answers_308_to_the_new_one(client, old, new, method):
    run = "6f1c7a52-8a0e-4a4e-9d0e-0d6f6b9d5c11"
    moved = getattr(client, method)(f"/api/v1/{old.format(run=run)}")
    assert (moved.status_code, moved.headers["Location"]) == (308, f"/api/v1/{new.format(run=run)}")


def test_field_rules_are_read_under_their_old_path_and_name(client):
    owner = factories.user(role="manager")
    client.force_login(owner)
    prompt_set = factories.prompt_set(owner)
    answer = client.post(
        f"/api/v1/prompt-sets/{prompt_set.pk}/comparisons/",
        {"comparisons": {"decision": {"kind": "ignored"}}},
        content_type="application/json",
        follow=True,
    )
    assert answer.status_code == 200
    prompt_set.refresh_from_db()
    assert prompt_set.field_rules == {"decision": {"kind": "ignored"}}


def test_a_new_name_wins_over_its_old_one_and_nothing_else_changes():
    given = {"run": 1, "comparison": 2, "other": 3}
    assert with_new_names(given, {"run": "comparison"}) == {"comparison": 2, "other": 3}
    assert with_new_names(given, {}) is given


def test_a_campaign_is_drafted_and_filtered_by_the_old_name_of_its_comparison(client):
    owner = factories.user(role="manager")
    client.force_login(owner)
    comparison = factories.comparison(owner, prompts=3)
    body = {"title": "Replies", "rubric_text": factories.RUBRIC, "overlap": 1, "run": str(comparison.pk)}
    made = client.post("/api/v1/campaigns/", body, content_type="application/json")
    assert made.status_code == 201 and made.json()["comparison"] == str(comparison.pk)
    found = client.get(f"/api/v1/campaigns/?run={comparison.pk}").json()
    assert [one["id"] for one in found["results"]] == [made.json()["id"]]
    assert client.get(f"/campaigns/new/?run={comparison.pk}").status_code == 200
