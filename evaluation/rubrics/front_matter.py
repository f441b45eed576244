"""The YAML front matter of a rubric: its title, and the component types that it may list."""

import yaml

from evaluation.rubrics.components import KNOWN, LONGEST
from evaluation.rubrics.places import RubricError, one_line

_FENCE = "---"
_NULL = "tag:yaml.org,2002:null"


def read(lines: list[str]) -> tuple[str, int]:
    """The title, "" without one, and the number of lines up to the end of the front matter.

    Empty lines may come before it. Raises RubricError.
    """
    start = next((number for number, line in enumerate(lines) if line.strip()), 0)
    if lines[start].strip() != _FENCE:
        return "", 0
    end = next((n for n, line in enumerate(lines[start + 1 :], start + 1) if line.strip() == _FENCE), None)
    if end is None:
        raise RubricError("The front matter that begins here has no closing ---.", start + 1)
    text = "\n".join(lines[start + 1 : end])
    if len(text) > LONGEST:
        raise RubricError(f"The front matter may have {LONGEST:,} characters.", start + 1)
    return _title(_entries(text, start + 1), text, start + 1), end + 1


def _entries(text: str, above: int) -> dict[str, yaml.Node]:
    """The entries by name. `above` is the number of lines above the text."""
    loader = None
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        index = mark.index if mark else getattr(error, "position", 0)
        raise _error(
            "The front matter is not YAML. Put texts with a colon in quotes.", text, index, above
        ) from error
    finally:
        if loader is not None:
            loader.dispose()
    if node is None:
        return {}
    if not isinstance(node, yaml.MappingNode):
        raise _error("The front matter must be key: value pairs.", text, 0, above)
    found: dict[str, yaml.Node] = {}
    for key, value in node.value:
        name = str(key.value) if isinstance(key, yaml.ScalarNode) else ""
        if name in found:
            raise _error(f"`{name}` is given twice.", text, key.start_mark.index, above)
        found[name] = value
    return found


def _title(entries: dict[str, yaml.Node], text: str, above: int) -> str:
    if "components" in entries:
        _check_components(entries["components"], text, above)
    node = entries.get("title")
    if node is None or node.tag == _NULL:
        return ""
    if not isinstance(node, yaml.ScalarNode):
        raise _error("The title is a text; put it in quotes.", text, node.start_mark.index, above)
    return one_line(node.value)


def _check_components(listed: yaml.Node, text: str, above: int) -> None:
    """Check the component types that the front matter may list; each must be known."""
    if listed.tag == _NULL:
        return
    for item in listed.value if isinstance(listed, yaml.SequenceNode) else [listed]:
        pairs = item.value if isinstance(item, yaml.MappingNode) else []
        node = next((value for key, value in pairs if key.value == "type"), item)
        name = node.value if isinstance(node, yaml.ScalarNode) and pairs else None
        if name not in KNOWN:
            message = f"Unknown component type {name!r} in the front matter."
            raise _error(message, text, node.start_mark.index, above)


def _error(message: str, text: str, index: int, above: int) -> RubricError:
    before = text[:index]
    return RubricError(message, above + before.count("\n") + 1, index - (before.rfind("\n") + 1) + 1)
