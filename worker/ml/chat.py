"""The one place where an example becomes text, for training and for generation alike.

If both sides render through here, and the hash of the template travels with the adapter, a model can never be
asked in another format than the one it was trained on without an error that says so.
"""

import hashlib
import json
from typing import Any

from worker.ml.errors import MlError
from worker.ml.limits import bounded

# Raised whenever the text made from the same example would change; it is part of `template_hash`.
RENDERING_VERSION = 1
# A row has a mebibyte at most; no sound template makes sixteen of it.
_MAX_CHARACTERS = 16 * 2**20


def as_text(value: Any) -> str:
    """A string as it is; anything else as JSON on one line, keys in the given order, non-ASCII kept.

    One line with ", " and ": " rather than an indented block: pretrained models know both, and the
    indentation would cost about a fifth more tokens in every answer, which is time in training and latency
    in use.
    """
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def render_prompt(tokenizer: Any, instruction: str, input_value: Any) -> str:
    """The text a model is given: system and user turns and the opening of the assistant's turn."""
    return _apply(tokenizer, prompt_messages(instruction, input_value), opening=True)


def render_example(tokenizer: Any, instruction: str, input_value: Any, output: Any) -> tuple[str, str]:
    """(prompt, completion): the same prompt as `render_prompt`, and everything the template puts after it.

    Raises MlError("template_inconsistent") if the template renders the prompt differently once an answer
    follows.
    """
    prompt = render_prompt(tokenizer, instruction, input_value)
    answer = {"role": "assistant", "content": as_text(output)}
    whole = _apply(tokenizer, [*prompt_messages(instruction, input_value), answer], opening=False)
    if not whole.startswith(prompt):
        raise MlError(
            "template_inconsistent",
            "The chat template renders a prompt differently when an answer follows it, so training and "
            "generation "
            "would not match; use a base model whose template keeps the prompt unchanged.",
        )
    return prompt, whole[len(prompt) :]


def template_hash(tokenizer: Any) -> str:
    """SHA-256 in hex of the chat template and of the rendering rules above."""
    text = f"rendering {RENDERING_VERSION}\n{tokenizer.get_chat_template()}"
    return hashlib.sha256(text.encode()).hexdigest()


def prompt_messages(instruction: str, input_value: Any) -> list[dict[str, str]]:
    """System and user turn of a prompt."""
    return [{"role": "system", "content": instruction}, {"role": "user", "content": as_text(input_value)}]


def _apply(tokenizer: Any, messages: list[dict[str, str]], *, opening: bool) -> str:
    from jinja2.exceptions import TemplateError

    try:
        # Templates of thinking models open a thought unless told otherwise; the others ignore the switch.
        with bounded("The base model's chat template"):
            text: str = tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=opening, enable_thinking=False
            )
    except TemplateError as error:
        raise MlError(
            "template_failed",
            f"The base model's chat template refuses a system and a user message ({error}); "
            "choose an instruction-tuned base whose template accepts both.",
        ) from error
    if len(text) > _MAX_CHARACTERS:
        raise MlError(
            "template_too_large",
            f"The base model's chat template makes {len(text):,} characters of one conversation; choose another base "
            "model, or mend the template.",
        )
    return text
