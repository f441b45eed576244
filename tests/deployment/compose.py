"""Reads docker-compose.yml as Compose does, as far as this file uses it: merges by YAML, variables by us."""

import re
from typing import Any

import yaml

from tests.services import ROOT

_VARIABLE = re.compile(r"\$\{(?P<name>[A-Z_]+)(?::(?P<kind>[?-])(?P<word>[^}]*))?\}")


def text() -> str:
    return (ROOT / "docker-compose.yml").read_text()


def services(variables: dict[str, str] | None = None) -> dict[str, Any]:
    """The services; with `variables`, every `${NAME...}` filled in, and KeyError for a required one that lacks."""
    source = text() if variables is None else _VARIABLE.sub(lambda match: _fill(match, variables), text())
    loaded: dict[str, Any] = yaml.safe_load(source)["services"]
    return loaded


def _fill(match: re.Match[str], variables: dict[str, str]) -> str:
    if match["kind"] == "-":
        return variables.get(match["name"], match["word"])
    return variables[match["name"]]


def variables() -> dict[str, str | None]:
    """Every variable the file asks for, with its kind: "?" for required, "-" for one with a default."""
    return {match["name"]: match["kind"] for match in _VARIABLE.finditer(text())}
