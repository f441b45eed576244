"""The meaning of the columns in a file of prompts or pairs."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from evaluation.comparison.readers import Columns, is_field
from training.intake.layouts import TURN_COLUMNS
from training.intake.services.uploads import Look

_AS_NAMED = "as_named"
# Other names of fields, as other tools write them.
_HINTS = {
    "prompt": ("instruction", "question", "query", "text", "input_text"),
    "messages": TURN_COLUMNS,
    "system": ("system_prompt",),
    "expected": ("output", "answer", "completion", "reference"),
    "baseline": ("rejected", "response_a", "model_a_response", "response_1"),
    "candidate": ("chosen", "response_b", "model_b_response", "response_2"),
}


class ColumnsForm(forms.Form):
    """One choice for each column (`role_N` by its position): a field, its own name, or nothing."""

    save_as = forms.CharField(
        required=False,
        max_length=100,
        label="Save this mapping as",
        help_text="To use it for the next file. A saved mapping of the same name is replaced.",
    )

    def __init__(
        self,
        *args: Any,
        look: Look,
        known: Sequence[str],
        chosen: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.look = look
        roles = (
            _roles(look.columns, known)
            if chosen is None
            else {column: name for name, column in chosen.items()}
        )
        for number, column in enumerate(look.columns):
            choices = [("", "Ignore this column"), *((name, name.replace("_", " ")) for name in known)]
            if "." in column and is_field(column, known):
                choices.append((_AS_NAMED, "Part of an object, as named"))
            self.fields[f"role_{number}"] = forms.ChoiceField(
                choices=choices, required=False, initial=roles.get(column, ""), label=f"Meaning of {column}"
            )

    @property
    def column_rows(self) -> list[dict[str, Any]]:
        """Each column with its first values and its field."""
        return [
            {
                "name": column,
                "values": [row[column] for row in self.look.rows[:3] if column in row],
                "role": self[f"role_{number}"],
            }
            for number, column in enumerate(self.look.columns)
        ]

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        taken: set[str] = set()
        for number, _ in enumerate(self.look.columns):
            role = values.get(f"role_{number}", "")
            if role in taken:
                self.add_error(f"role_{number}", "Another column already has this meaning.")
            taken |= {role} - {"", _AS_NAMED}
        return values

    @property
    def columns(self) -> Columns:
        """The mapping that was sent, or the proposed one."""
        roles = {column: self[f"role_{n}"].value() or "" for n, column in enumerate(self.look.columns)}
        names = {role: column for column, role in roles.items() if role not in ("", _AS_NAMED)}
        ignored = frozenset(column for column, role in roles.items() if not role)
        return Columns(names, ignored, ignore_others=True)


def _roles(columns: Sequence[str], known: Sequence[str]) -> dict[str, str]:
    """The field of each column, by its name."""
    roles: dict[str, str] = {}
    for column in columns:
        name = column.strip().lower().replace(" ", "_")
        if name in known:
            roles[column] = name
        elif "." in column and is_field(column, known):
            roles[column] = _AS_NAMED
    plain = {column.strip().lower().replace(" ", "_"): column for column in reversed(columns)}
    for field, others in _HINTS.items():
        column = next((plain[name] for name in others if name in plain), "")
        if field in known and field not in roles.values() and column and column not in roles:
            roles[column] = field
    return roles
