"""What the columns of a file mean: how each row becomes an example."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from ftplatform.errors import DomainError
from training.intake.readers.lines import is_text


@dataclass(frozen=True)
class ColumnMapping:
    """How the columns of a file become an Example.

    `inputs` and `outputs` map key → column and make an object; `input_column` and `output_column` use one column
    unchanged (`json_cells`: its text is JSON). `messages_column` holds turns; then `output_column` is used only if the
    answer is not among them. With `system_column` or `history_column`, or without an instruction, the row becomes a
    conversation, and instruction and input together are the user's turn. Other columns are ignored.
    """

    instruction: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    instruction_column: str = ""
    input_column: str = ""
    output_column: str = ""
    id_column: str = ""
    group_column: str = ""
    split_column: str = ""
    json_cells: bool = False
    messages_column: str = ""
    tools_column: str = ""
    system_column: str = ""
    history_column: str = ""

    @cached_property
    def required(self) -> set[str]:
        """Columns that every row must have."""
        single = (self.instruction_column, self.input_column, self.output_column, self.messages_column)
        return {*self.inputs.values(), *self.outputs.values(), *filter(None, single)}

    @cached_property
    def columns(self) -> set[str]:
        optional = (self.tools_column, self.system_column, self.history_column)
        named = (self.id_column, self.group_column, self.split_column)
        return {*self.required, *filter(None, (*optional, *named))}

    @cached_property
    def row_columns(self) -> list[tuple[str, str]]:
        """The fields that are read unchanged, with their columns."""
        named = (("id", self.id_column), ("group", self.group_column), ("split", self.split_column))
        return [(name, column) for name, column in named if column]

    @cached_property
    def makes_conversations(self) -> bool:
        """Whether rows become turns, not instruction and input."""
        turns = (self.messages_column, self.system_column, self.history_column, self.tools_column)
        return any(turns) or not (self.instruction.strip() or self.instruction_column)

    def column_of(self, field: str) -> str:
        """The one column that a field is read from, or "": users know the field by that name."""
        return str(getattr(self, f"{field}_column", ""))

    def require_complete(self) -> None:
        """Raise DomainError `invalid_mapping` naming each part that is missing or given twice."""
        instruction = self.instruction.strip()
        rules = (
            (
                "instruction",
                "Enter an instruction, choose the column that contains it, or choose one column as the whole input.",
                not (instruction or self.instruction_column or self.input_column or self.messages_column),
            ),
            (
                "instruction",
                "Enter a text or choose a column, not both.",
                bool(instruction and self.instruction_column),
            ),
            (
                "inputs",
                "Map keys to columns or choose one column, not both.",
                bool(self.inputs and self.input_column),
            ),
            (
                "inputs",
                "The conversation contains the input. Choose no other column for it.",
                bool(self.messages_column and (self.inputs or self.input_column or self.instruction_column)),
            ),
            (
                "outputs",
                "Choose the column or columns of the expected output.",
                not (self.outputs or self.output_column or self.messages_column),
            ),
            (
                "outputs",
                "Map keys to columns or choose one column, not both.",
                bool(self.outputs and (self.output_column or self.messages_column)),
            ),
        )
        problems = [{"field": name, "message": message} for name, message, wrong in rules if wrong]
        names = (self.instruction, *self.inputs, *self.outputs, *self.columns)
        if not all(is_text(name) and "\x00" not in name for name in names):
            said = "A column name contains NUL or a lone surrogate. Rename that column."
            problems.append({"field": "mapping", "message": said})
        if problems:
            said = "The column mapping is not complete."
            raise DomainError("invalid_mapping", said, status=400, problems=problems)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
