"""What a model's card says of its use works with plain libraries, on the files as they are carried away."""

import contextlib
import io
import json
import re
from typing import Any

import pytest

from tests.worker.ml.conftest import BASE
from training.models import ModelVersion
from training.registry.card import how_to_use
from worker.ml.data import read_rows


def said_by_the_card(kind, folder):
    code = re.search(r"```python\n(.*)```", "\n".join(how_to_use(kind)), re.DOTALL)
    assert code
    lines = code[1].replace('"BASE"', repr(str(BASE))).replace('"THIS_FOLDER"', repr(str(folder)))
    made: dict[str, Any] = {}
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(lines, "card", "exec"), made)  # noqa: S102 (our own card)
    return made, out.getvalue()


def test_an_adapter_loads_and_answers_as_its_card_says(trained, files):
    from worker.ml.chat import render_prompt

    made, answer = said_by_the_card(ModelVersion.Kind.ADAPTER, trained[0])
    assert answer.strip()
    changed = [
        weight.abs().max().item() for name, weight in made["model"].named_parameters() if "lora_B" in name
    ]
    assert changed and min(changed) > 0
    # The messages of the card make the very prompt that training made.
    row = read_rows(files / "validation.jsonl")[0]
    messages = [
        {"role": "system", "content": row.instruction},
        {"role": "user", "content": json.dumps(row.input, ensure_ascii=False)},
    ]
    prompt = made["tokenizer"].apply_chat_template(
        messages, tokenize=False, add_generation_prompt=True, enable_thinking=False
    )
    assert prompt == render_prompt(made["tokenizer"], row.instruction, row.input)


def test_a_merged_model_needs_nothing_but_its_folder():
    """The base has every file that a merged model has."""
    made, answer = said_by_the_card(ModelVersion.Kind.MERGED, BASE)
    assert answer.strip() and not any("lora" in name for name, _ in made["model"].named_parameters())


@pytest.mark.parametrize("kind", [ModelVersion.Kind.BASE, ModelVersion.Kind.EXTERNAL])
def test_what_was_not_made_here_has_no_such_part(kind):
    assert how_to_use(kind) == []
