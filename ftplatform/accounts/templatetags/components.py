"""The shared partials as template tags. Longer text is passed as the body of the tag."""

from typing import Any, NamedTuple

from django import template
from django.template import Context
from django.template.loader import render_to_string
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

register = template.Library()


class Look(NamedTuple):
    """How a status is shown besides its label: `tone` sets the colour, `icon` a distinct shape."""

    tone: str
    icon: str


_LOOKS = {
    Look("active", "active"): ("running", "open"),
    Look("good", "good"): (
        *("succeeded", "analysed", "released", "active"),
        *("better", "not_worse", "promote"),
    ),
    Look("danger", "danger"): ("failed", "worse", "rollback", "roll_back"),
    Look("caution", "paused"): ("cancelling", "paused", "hold"),
    Look("neutral", "stopped"): ("cancelled", "closed", "retired", "revoked", "expired"),
    Look("neutral", "waiting"): ("queued",),
    Look("neutral", "equal"): ("equivalent",),
    Look("caution", "unsure"): ("inconclusive",),
}
_LOOK_OF = {status: look for look, statuses in _LOOKS.items() for status in statuses}
_PLAIN = Look("neutral", "draft")
_MESSAGE_TONES = {"error": "danger", "warning": "caution", "success": "good"}
_VERDICT_ICONS = {"better": "up", "worse": "down", "not_worse": "good", "equivalent": "equal"}


@register.filter
def status_look(status: Any) -> Look:
    """The look of a stored status. An unknown status gets the plain look."""
    return _LOOK_OF.get(str(status), _PLAIN)


@register.filter
def verdict_icon(verdict: str) -> str:
    return _VERDICT_ICONS.get(verdict, "unsure")


@register.filter
def message_tone(level_tag: str) -> str:
    """The callout tone for a message of Django's messages framework."""
    return _MESSAGE_TONES.get(level_tag, "info")


@register.filter
def button_class(tags: Any, is_link: bool) -> str:
    """CSS classes for a button of django-allauth, chosen by the tags that allauth gives it."""
    names = set(tags or ())
    if names & {"danger", "delete"}:
        return "button danger"
    if names & {"link", "cancel"}:
        return "button quiet"
    if is_link or names & {"outline", "secondary", "panel"}:
        return "button"
    return "button primary"


_TRAINED = {0: "", 1: " trained", 2: " earlier"}


@register.filter
def token_spans(tokens: list[tuple[str, int, int]]) -> SafeString:
    """Render tokens (text, trained, is special) as spans without whitespace between them; trained is 1, or 2 for a
    token of an earlier answer."""
    return format_html_join(
        "",
        '<span class="token{}{}">{}</span>',
        ((_TRAINED[trained], " special" if special else "", text) for text, trained, special in tokens),
    )


@register.simple_block_tag
def page_header(content: str, title: str, **options: Any) -> str:
    """`partials/page_header.html`; the body is the lead."""
    return _partial("page_header", title=title, lead=_text(content), **options)


@register.simple_block_tag
def section_header(content: str, title: str, id: str, **options: Any) -> str:
    """`partials/section_header.html`; the body is the note."""
    return _partial("section_header", title=title, id=id, note=_text(content), **options)


@register.simple_block_tag
def callout(content: str, tone: str, title: str = "", **options: Any) -> str:
    """`partials/callout.html`; the body is its content, which brings its own paragraphs."""
    return _partial("callout", tone=tone, title=title, body=_text(content), **options)


@register.simple_block_tag
def empty_state(content: str, title: str, **options: Any) -> str:
    """`partials/empty_state.html`; the body is its text."""
    return _partial("empty_state", title=title, text=_text(content), **options)


@register.simple_tag
def stat(label: str, value: Any, **options: Any) -> str:
    """`partials/stat.html`: one figure of a <dl class="stats">."""
    return _partial("stat", label=label, value=value, **options)


@register.simple_tag
def progress(label: str, **options: Any) -> str:
    """`partials/progress.html`."""
    return _partial("progress", label=label, **options)


@register.simple_tag
def problem(title: str, detail: str = "", **options: Any) -> str:
    """`partials/problem.html`."""
    return _partial("problem", title=title, detail=detail, **options)


@register.simple_tag
def chart_figure(chart: dict[str, Any], data: bool = True) -> str:
    """`partials/chart.html` for a chart drawn in Python. If `data` is false, its data table is left out."""
    return _partial("chart", **(chart if data else {**chart, "rows": []}))


@register.simple_tag(takes_context=True)
def post_button(context: Context, action: str, label: str, **options: Any) -> str:
    """`partials/post_button.html`; the context gives it the CSRF token."""
    return _partial(
        "post_button", action=action, label=label, csrf_token=context.get("csrf_token"), **options
    )


def _partial(name: str, **context: Any) -> str:
    return render_to_string(f"partials/{name}.html", context)


def _text(content: str) -> SafeString:
    """The body of a tag. It is already escaped, because it has been rendered."""
    return SafeString(content.strip())
