"""Forms of datasets: the upload and its column mapping."""

from typing import Any

from django import forms
from django.conf import settings

from ftplatform.errors import DomainError
from training.intake import schemas
from training.intake.column_mapping import ColumnMapping
from training.intake.readers.lines import too_large
from training.intake.services.uploads import Look

_SINGLE = (
    *("instruction", "input", "output", "id", "group", "split"),
    *("messages", "tools", "system", "history"),
)
_ROLES = [
    ("", "Ignore this column"),
    ("input", "Input"),
    ("output", "Expected output"),
    ("input_key", "Key of an input object"),
    ("output_key", "Key of an output object"),
    ("instruction", "Instruction"),
    ("messages", "Conversation (list of turns)"),
    ("system", "System text"),
    ("history", "Earlier turns (pairs)"),
    ("tools", "Tools"),
    ("id", "Row ID"),
    ("group", "Group (kept in one split)"),
    ("split", "Split"),
]


def column_pairs(text: str) -> dict[str, str]:
    """`key=column` pairs, separated by commas or new lines; a bare name is both key and column."""
    found: dict[str, str] = {}
    for part in text.replace("\n", ",").split(","):
        if part.strip():
            key, _, column = part.partition("=")
            found[key.strip()] = (column or key).strip()
    return found


class UploadForm(forms.Form):
    name = forms.CharField(
        max_length=100, help_text="The name of an existing dataset creates its next version."
    )
    file = forms.FileField(
        help_text="JSON lines, a JSON list, CSV or Parquet, with any column names; also packed with gzip or ZIP."
    )

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > settings.UPLOAD_MAX_BYTES:
            raise forms.ValidationError(too_large().detail)
        return file


class MappingForm(forms.Form):
    """The meaning of each column (`role_N` and `key_N` by its position), the shares of the splits, and the schema."""

    name = forms.CharField(max_length=100, label="Dataset name")
    instruction = forms.CharField(
        required=False,
        strip=True,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="What the model is asked to do in every row. Leave empty if a column or the input contains it.",
    )
    json_cells = forms.BooleanField(
        required=False,
        label="Parse whole inputs and outputs as JSON",
        help_text="Use this if such a column contains JSON objects as text.",
    )
    validation_percent = forms.FloatField(
        initial=10,
        min_value=0.1,
        max_value=90,
        label="Validation rows (%)",
        help_text="Used to monitor training. A split column takes precedence.",
    )
    test_percent = forms.FloatField(
        initial=10,
        min_value=0,
        max_value=90,
        label="Test rows (%)",
        help_text="Used only in comparisons. With 0, comparisons use the validation rows.",
    )
    schema = forms.CharField(
        required=False,
        label="JSON Schema of the expected output",
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false", "class": "mono"}),
        help_text="Every row is checked against it. Unchanged or empty: inferred from all rows.",
    )
    inferred = forms.CharField(required=False, widget=forms.HiddenInput)
    save_as = forms.CharField(
        required=False,
        max_length=100,
        label="Save this mapping as",
        help_text="To use it for the next file. A saved mapping of the same name is replaced.",
    )
    skip_bad_rows = forms.BooleanField(
        required=False,
        label="Import valid rows only",
        help_text="Skip rows with errors instead of refusing the file. The dataset shows how many were skipped.",
    )

    def __init__(self, *args: Any, look: Look, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.look = look
        roles = _proposed(look)
        for number, column in enumerate(look.columns):
            role, key = roles.get(column, ("", column))
            self.fields[f"role_{number}"] = forms.ChoiceField(
                choices=_ROLES, required=False, initial=role, label=f"Meaning of {column}"
            )
            self.fields[f"key_{number}"] = forms.CharField(
                required=False, max_length=200, initial=key, label=f"Key for {column}"
            )

    @property
    def column_rows(self) -> list[dict[str, Any]]:
        """Each column with its first values and its two fields."""
        return [
            {
                "name": column,
                "values": [row[column] for row in self.look.rows[:3] if column in row],
                "role": self[f"role_{number}"],
                "key": self[f"key_{number}"],
            }
            for number, column in enumerate(self.look.columns)
        ]

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if self.errors:
            return values
        try:
            values["mapping"] = self._mapping(values)
            edited = values["schema"].strip() not in ("", values["inferred"].strip())
            values["wanted_schema"] = schemas.parse(values["schema"]) if edited else None
        except DomainError as error:
            for problem in error.problems or [{"message": error.detail}]:
                field = str(problem.get("field", "")).split(".")[0]
                self.add_error(field if field in self.fields else None, problem["message"])
        return values

    def _mapping(self, values: dict[str, Any]) -> ColumnMapping | None:
        roles: dict[str, list[tuple[str, str]]] = {role: [] for role, _ in _ROLES}
        for number, column in enumerate(self.look.columns):
            role = values[f"role_{number}"]
            roles[role].append((values[f"key_{number}"] or column, column))
            if role in _SINGLE and len(roles[role]) > 1:
                self.add_error(f"role_{number}", "Another column already has this meaning.")
            if role.endswith("_key") and len({key for key, _ in roles[role]}) < len(roles[role]):
                self.add_error(f"key_{number}", "Another column already has this key.")
        single = {role: roles[role][0][1] if roles[role] else "" for role in _SINGLE}
        if self.look.proposal is None and not values["instruction"] and _as_they_are(single, self.look):
            return None
        mapping = ColumnMapping(
            values["instruction"],
            dict(roles["input_key"]),
            dict(roles["output_key"]),
            json_cells=values["json_cells"],
            **{f"{role}_column": column for role, column in single.items()},
        )
        mapping.require_complete()
        return mapping


def _as_they_are(single: dict[str, str], look: Look) -> bool:
    return all(single[column] == column for column in look.columns)


def _proposed(look: Look) -> dict[str, tuple[str, str]]:
    """Role and key of each column that the suggested mapping uses."""
    if look.proposal is None:
        return {column: (column, column) for column in look.columns}
    mapping = look.proposal
    roles = {
        getattr(mapping, f"{role}_column"): (role, getattr(mapping, f"{role}_column")) for role in _SINGLE
    }
    roles |= {column: ("input_key", key) for key, column in mapping.inputs.items()}
    roles |= {column: ("output_key", key) for key, column in mapping.outputs.items()}
    return roles
