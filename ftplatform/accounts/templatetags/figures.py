"""Template filters from `ftplatform.text`, and those that return HTML."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ftplatform.text import html, numbers, turns, values

register = template.Library()

for _filter in (
    numbers.count,
    numbers.decimal,
    numbers.signed,
    numbers.percent,
    numbers.signed_percent,
    numbers.points,
    numbers.hundred,
    numbers.p_value,
    numbers.figure,
    numbers.change_from,
    numbers.per,
    numbers.minus,
    numbers.duration,
    numbers.roughly,
    numbers.time_left,
    numbers.between,
    numbers.memory,
    numbers.milliseconds,
    values.unbroken,
    values.words,
    values.paragraphs,
    values.pretty,
    values.entries,
    values.verdict_word,
    values.plain,
    turns.shown_turns,
    turns.parts,
    turns.tool_names,
    turns.indented,
):
    register.filter(_filter.__name__, _filter)


@register.filter
def when(value: datetime | None) -> SafeString | str:
    """A date and time as a <time> element, in UTC."""
    if not value:
        return numbers.DASH
    moment = value.astimezone(UTC)
    return format_html(
        '<time class="nowrap" datetime="{}">{}</time>',
        moment.isoformat(timespec="seconds"),
        values.moment(value),
    )


@register.filter
def markdown(text: str) -> SafeString:
    """The text of a rubric as HTML."""
    return SafeString(html.document(text))


@register.filter
def named(mapping: Mapping[str, Any], name: str) -> Any:
    """The value of a key that is itself a variable in the template."""
    return mapping[name]
