"""The glossary names every model class, and no class that does not exist."""

import re

from django.apps import apps

from tests.services import ROOT

PACKAGES = ("ftplatform", "training", "evaluation", "worker")


def named_classes(glossary: str) -> list[str]:
    """Model classes in a glossary: names in backticks in the first cells of its tables."""
    return re.findall(r"^\| `(\w+)` \|", glossary, flags=re.MULTILINE)


def model_classes() -> set[str]:
    return {model.__name__ for model in apps.get_models() if model.__module__.split(".")[0] in PACKAGES}


def test_the_glossary_names_each_model_class_once():
    named = named_classes((ROOT / "docs" / "glossary.md").read_text(encoding="utf-8"))
    assert {"missing": model_classes() - set(named), "unknown": set(named) - model_classes()} == {
        "missing": set(),
        "unknown": set(),
    }
    assert len(named) == len(set(named))


def test_only_first_cells_count_as_classes():
    table = "| `Pair` | two responses |\n| Win score | share of wins |\nA `Rating` in the text."
    assert named_classes(table) == ["Pair"]
    assert {"Job", "Dataset", "Campaign"} <= model_classes()
