"""A page as one file that loads nothing."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.utils.safestring import SafeString, mark_safe


def standalone(template: str, content: dict[str, Any]) -> str:
    """A page as a file: its style sheet and its icons are inside; it loads nothing and runs nothing."""
    inside = {"styles": _own("css/tokens.css", "css/app.css"), "icons": _own("icons.svg")}
    page = render_to_string(template, content | inside)
    return page.replace(f'href="{static("icons.svg")}#', 'href="#')


def _own(*names: str) -> SafeString:
    """Files of the site itself, as they are: none holds what could close the element around it."""
    folder = Path(settings.BASE_DIR) / "static"
    return mark_safe("\n".join((folder / name).read_text() for name in names))  # noqa: S308
