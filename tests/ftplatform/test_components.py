"""The shared parts of pages as template tags."""

import pytest
from django.template import Context, Template

from evaluation.models import Campaign
from ftplatform.accounts.templatetags import components
from ftplatform.jobs.models import Job
from training.models import ModelVersion

MARKUP = "<b>&</b>"


def render(source: str, **values: object) -> str:
    return Template("{% load components %}" + source).render(Context(values))


# What has not begun is shown plainly.
@pytest.mark.parametrize(
    "status", sorted({*Job.Status, *Campaign.Status, *ModelVersion.Stage} - {"draft", "candidate"})
)
def test_every_status_has_a_look_of_its_own(status):
    assert components.status_look(status) != components.status_look("unheard of")


@pytest.mark.parametrize(
    "source",
    [
        "{% page_header text %}{{ text }}{% endpage_header %}",
        "{% section_header text id='x' %}{{ text }}{% endsection_header %}",
        "{% callout 'info' text %}<p>{{ text }}</p>{% endcallout %}",
        "{% empty_state text action_url='/' action_label=text %}{{ text }}{% endempty_state %}",
        "{% stat text text sub=text %}",
        "{% progress text figures=text %}",
        "{% problem text text %}",
        "{% post_button '/' text confirm=text %}",
    ],
)
def test_what_a_page_is_told_cannot_become_markup(source):
    found = render(source, text=MARKUP)
    assert MARKUP not in found and "&lt;b&gt;&amp;&lt;/b&gt;" in found


def test_the_body_of_a_tag_keeps_its_own_markup():
    assert '<p class="lead">Read <em>this</em></p>' in render(
        "{% page_header 'T' %}\n  Read <em>this</em>\n{% endpage_header %}"
    )


def test_a_link_without_its_label_shows_nothing():
    assert "href" not in render("{% page_header 'T' action_url='/' action_label='' %}{% endpage_header %}")


def test_tokens_stand_side_by_side_as_they_are():
    found = components.token_spans([("<|end|>", True, True), (" a", False, False)])
    assert found == ('<span class="token trained special">&lt;|end|&gt;</span><span class="token"> a</span>')


def test_a_post_button_carries_the_token_of_its_page():
    assert 'name="csrfmiddlewaretoken" value="abc"' in render("{% post_button '/' 'Go' %}", csrf_token="abc")
