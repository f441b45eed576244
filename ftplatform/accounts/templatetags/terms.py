"""Statistical terms with their explanations: shown on hover, on keyboard focus and on a tap, without any script needed
for the tap."""

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import slugify

from ftplatform.text.terms import TERMS

register = template.Library()


@register.filter
def explained(label: str) -> SafeString | str:
    """The label as a button that opens its explanation; the label itself if it is not a term."""
    if label not in TERMS:
        return label
    return format_html(
        '<button type="button" class="plain term" popovertarget="{0}" popovertargetaction="show" '
        'aria-describedby="{0}">{1}</button>',
        _identifier(label),
        label,
    )


@register.inclusion_tag("partials/explanations.html")
def explanations() -> dict[str, list[tuple[str, str, str]]]:
    """The explanations that the buttons of a page open. A page with buttons has them once."""
    return {"terms": [(_identifier(label), label, text) for label, text in TERMS.items()]}


def _identifier(label: str) -> str:
    return f"term-{slugify(label, allow_unicode=True)}"
