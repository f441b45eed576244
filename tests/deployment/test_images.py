"""The images hold every file that the site and the workers read, and nothing else of the repository."""

from pathlib import PurePosixPath

import pytest

from ftplatform import settings as project
from tests.deployment import images
from tests.services import ROOT

RULES = (ROOT / ".dockerignore").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text()
PACKAGES = ("ftplatform", "training", "evaluation", "worker")
FOLDERS = (*PACKAGES, "templates", "static", "locale")
SINGLE = ("manage.py", "pyproject.toml", "constraints.txt", "README.md", "LICENSE")
NOT_RUN = {"tests", "docs", "benchmarks", ".ci", ".github", "docker"}


def in_image(stage: str, rules: str = RULES) -> set[str]:
    return images.copied(stage, DOCKERFILE, images.context(images.tracked(), rules))


def needed() -> set[str]:
    return {path for path in images.tracked() if PurePosixPath(path).parts[0] in (*FOLDERS, *SINGLE)}


@pytest.mark.parametrize("stage", images.STAGES)
def test_an_image_holds_what_runs_and_nothing_else(stage):
    assert in_image(stage) == needed()
    assert "locale/de/LC_MESSAGES/django.mo" in in_image(stage)


def test_every_folder_of_the_settings_is_among_them():
    folders = [*project.LOCALE_PATHS, *project.STATICFILES_DIRS, *project.TEMPLATES[0]["DIRS"]]  # type: ignore[misc]
    assert {str(folder.relative_to(ROOT)) for folder in folders} <= set(FOLDERS)


def test_every_folder_of_the_repository_is_either_run_or_known_not_to_be():
    """A new folder must be put on one of the two lists, and into .dockerignore if it is run."""
    found = {path.partition("/")[0] for path in images.tracked() if "/" in path}
    assert found == {*FOLDERS, *NOT_RUN}


@pytest.mark.parametrize("folder", FOLDERS)
def test_without_its_rule_a_folder_would_be_missed(folder):
    """The control: the comparison notices a folder that .dockerignore leaves out."""
    broken = RULES.replace(f"!{folder}\n", "")
    assert needed() - in_image("web", broken) == {p for p in needed() if p.startswith(f"{folder}/")} != set()


@pytest.mark.parametrize(
    ("rules", "kept"),
    [
        ("*", []),
        ("*\n!a", ["a/b/c.py", "a/d.pyc"]),
        ("*\n!a\n**/*.pyc", ["a/b/c.py"]),
        ("*\n!a\na/b", ["a/d.pyc"]),
        ("# a\n\na/*", ["e.txt"]),
        ("**/b", ["a/d.pyc", "e.txt"]),
    ],
)
def test_rules_are_read_as_docker_does(rules, kept):
    assert images.context(["a/b/c.py", "a/d.pyc", "e.txt"], rules) == set(kept)
