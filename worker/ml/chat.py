"""The one place where a conversation becomes text, for training and for generation alike.

If both sides render through here, and the hash of the template travels with the adapter, a model can never be
asked in another format than the one it was trained on without an error that says so.

A turn is a dict with `role` (system, user, assistant or tool) and `content`, and as needed `tool_calls`,
`tool_call_id`, `name` and `weight`. A template may lose text without an error, so every text is looked for in the
result.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from weakref import WeakKeyDictionary

from worker.ml.errors import MlError
from worker.ml.limits import bounded

Turn = dict[str, Any]

# A row has a mebibyte at most; no sound template makes sixteen of it.
_MAX_CHARACTERS = 16 * 2**20
_THOUGHT_END = "</think>"
_NOT_RENDERED = ("weight",)


@dataclass(frozen=True)
class Rendering:
    """How a base's chat template is used. It is recorded on the adapter and is part of the template hash.

    `system`: the template has a system turn ("turn"), or the system text precedes the first user turn ("folded").
    `date`: the day (ISO 8601) that a dated template prints; None if it has no date, or prints the current one.
    `thinking`: the answers begin with a thought, so prompts do not close it in advance.
    """

    system: Literal["turn", "folded"] = "turn"
    date: str | None = None
    thinking: bool = False

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


# The rendering of each tokenizer, with the template that it was chosen for.
_renderings: "WeakKeyDictionary[Any, tuple[str, Rendering]]" = WeakKeyDictionary()


def rendering(tokenizer: Any) -> Rendering:
    """The rendering that `use_rendering` has set for this tokenizer, or else the one that its template needs."""
    template = tokenizer.get_chat_template()
    known = _renderings.get(tokenizer)
    return known[1] if known and known[0] == template else use_rendering(tokenizer, None)


def use_rendering(tokenizer: Any, wanted: Rendering | None) -> Rendering:
    """Render with `wanted` from now on; None is what the template needs, with today's date.

    Raises MlError("template_failed") for a template that renders a prompt neither way.
    """
    template = tokenizer.get_chat_template()
    _renderings[tokenizer] = template, wanted or Rendering()
    if wanted is None:
        today = datetime.now(UTC).date().isoformat() if "strftime_now" in template else None
        _renderings[tokenizer] = template, Rendering(system=_system_of(tokenizer), date=today)
    return _renderings[tokenizer][1]


def with_thoughts(tokenizer: Any) -> Rendering:
    """Render for answers that begin with a thought from now on."""
    return use_rendering(tokenizer, Rendering(**rendering(tokenizer).to_json() | {"thinking": True}))


def template_hash(tokenizer: Any) -> str:
    """SHA-256 in hex of the chat template and of how it is used.

    The first line is that of earlier releases for templates that need nothing else, so adapters keep their hash.
    """
    used = rendering(tokenizer)
    rules = "1" if used == Rendering() else f"2 {json.dumps(used.to_json(), sort_keys=True)}"
    text = f"rendering {rules}\n{tokenizer.get_chat_template()}"
    return hashlib.sha256(text.encode()).hexdigest()


def as_text(value: Any) -> str:
    """A string as it is; anything else as JSON on one line, keys in the given order, non-ASCII kept.

    One line with ", " and ": " rather than an indented block: pretrained models know both, and the
    indentation would cost about a fifth more tokens in every answer, which is time in training and latency
    in use.
    """
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def prompt_messages(instruction: str, input_value: Any) -> list[Turn]:
    """The turns of a prompt in short form. With one text only, that text is the user's turn."""
    given = "" if input_value is None else as_text(input_value)
    if not given.strip() or not instruction.strip():
        return [{"role": "user", "content": given if given.strip() else instruction}]
    return [{"role": "system", "content": instruction}, {"role": "user", "content": given}]


def render_prompt(tokenizer: Any, instruction: str, input_value: Any) -> str:
    """The text a model is given for a prompt in short form; see `render_turns`."""
    return render_turns(tokenizer, prompt_messages(instruction, input_value))


def render_example(tokenizer: Any, instruction: str, input_value: Any, output: Any) -> tuple[str, str]:
    """(prompt, completion) of a row in short form; see `render_answer`."""
    answer = {"role": "assistant", "content": as_text(output)}
    return render_answer(tokenizer, prompt_messages(instruction, input_value), answer)


def render_turns(tokenizer: Any, turns: Sequence[Turn], tools: Sequence[Any] | None = None) -> str:
    """The text a model is given: the turns and the opening of the assistant's turn.

    Raises MlError: template_failed, template_drops_text, tools_unsupported, template_too_slow, template_too_large.
    """
    ready = _ready(tokenizer, turns)
    text = _apply(tokenizer, ready, tools, opening=True)
    _require_texts(text, ready, tools)
    return text


def render_answer(
    tokenizer: Any, turns: Sequence[Turn], answer: Turn, tools: Sequence[Any] | None = None
) -> tuple[str, str]:
    """(prompt, completion): the same prompt as `render_turns`, and everything the template puts after it.

    Raises MlError("template_inconsistent") if the template renders the prompt differently once the answer follows,
    and MlError("template_drops_text") if the completion lacks a part of the answer.
    """
    prompt = render_turns(tokenizer, turns, tools)
    whole = _apply(tokenizer, [*_ready(tokenizer, turns), *_ready(tokenizer, [answer])], tools, opening=False)
    thought, said = split_thought(answer["content"])
    if not whole.startswith(prompt):
        raise _inconsistent(has_thought=bool(thought))
    completion = whole[len(prompt) :]
    names = [call["function"]["name"] for call in answer.get("tool_calls") or []]
    for part in (thought.removeprefix("<think>"), said, *names):
        if part.strip() not in completion:
            raise MlError(
                "template_drops_text",
                f"The base model's chat template leaves out a part of the answer ({_excerpt(part)}), so it could not "
                "be trained; remove it from the rows, or choose another base model.",
            )
    return prompt, completion


def answer_spans(
    tokenizer: Any, turns: Sequence[Turn], prompt: str, tools: Sequence[Any] | None = None
) -> list[tuple[int, int]]:
    """Where in `prompt` the assistant's turns are that have weight: start and end of what the template puts after
    each opening, as characters. `prompt` is what `render_turns` made of the same turns.

    Raises MlError("template_inconsistent") if a turn is rendered differently once others follow.
    """
    ready = _ready(tokenizer, turns)
    spans = []
    for index, turn in enumerate(ready):
        if turn["role"] != "assistant" or turn.get("weight", 1) == 0:
            continue
        opened = _apply(tokenizer, ready[:index], tools, opening=True)
        closed = _apply(tokenizer, ready[: index + 1], tools, opening=False)
        if not (closed.startswith(opened) and prompt.startswith(closed)):
            raise MlError(
                "template_inconsistent",
                f"The chat template renders the assistant's turn {index + 1} differently once other turns follow, so "
                "it cannot be trained as it would be generated; train the last turn only, or set weight 0 on the "
                "earlier ones.",
            )
        spans.append((len(opened), len(closed)))
    return spans


def split_thought(text: str) -> tuple[str, str]:
    """The thought at the start of an answer, without its end mark, and what follows; ("", text) if there is none."""
    thought, mark, said = text.rpartition(_THOUGHT_END)
    return (thought.strip(), said) if mark else ("", text)


def _system_of(tokenizer: Any) -> Literal["turn", "folded"]:
    turns = prompt_messages("A system text.", "A user text.")
    for system in ("turn", "folded"):
        tried = Rendering(system=system)
        _renderings[tokenizer] = tokenizer.get_chat_template(), tried
        try:
            render_turns(tokenizer, turns)
        except MlError as error:
            if error.code not in ("template_failed", "template_drops_text"):
                raise
            refusal = error
        else:
            return tried.system
    raise refusal


def _ready(tokenizer: Any, turns: Sequence[Turn]) -> list[Turn]:
    """The turns as the template gets them: folded if need be, and the arguments of tool calls as objects."""
    ready = [_with_objects(turn) for turn in turns]
    if rendering(tokenizer).system == "turn" or ready[0]["role"] != "system":
        return ready
    first, *others = ready
    if others and others[0]["role"] == "user":
        joined = f"{first['content']}\n\n{others[0]['content']}"
        return [others[0] | {"content": joined}, *others[1:]]
    return [first | {"role": "user"}, *others]


def _with_objects(turn: Turn) -> Turn:
    """Tool calls come with their arguments as JSON text, and templates write them as JSON: once is enough."""
    if not turn.get("tool_calls"):
        return turn
    calls = []
    for call in turn["tool_calls"]:
        function = dict(call["function"])
        if isinstance(function.get("arguments"), str):
            with suppress(ValueError):
                function["arguments"] = json.loads(function["arguments"])
        calls.append(call | {"function": function})
    return turn | {"tool_calls": calls}


def _require_texts(text: str, turns: Sequence[Turn], tools: Sequence[Any] | None) -> None:
    """Every text must be in the prompt; white space at its ends may be lost, and so may thoughts of earlier turns."""
    for tool in tools or []:
        name = str(tool.get("function", tool).get("name", ""))
        if name not in text:
            raise _tools_unsupported(f"it leaves out the tool {name}")
    for number, turn in enumerate(turns, start=1):
        names = [call["function"]["name"] for call in turn.get("tool_calls") or []]
        if any(name not in text for name in names):
            raise _tools_unsupported(f"it leaves out the tool call of turn {number}")
        said = split_thought(turn["content"])[1] if turn["role"] == "assistant" else turn["content"]
        if said.strip() not in text:
            raise MlError(
                "template_drops_text",
                f"The base model's chat template leaves out text of turn {number}, the {turn['role']}'s "
                f"({_excerpt(said)}); choose a base model whose template keeps every turn.",
            )


def _tools_unsupported(reason: str) -> MlError:
    return MlError(
        "tools_unsupported",
        f"The base model's chat template does not support tools: {reason}. Choose a base model that was trained with "
        "tools, or use rows without them.",
    )


def _inconsistent(*, has_thought: bool) -> MlError:
    if has_thought:
        return MlError(
            "template_inconsistent",
            "The answer begins with a thought (<think>) that the chat template renders differently from the prompt "
            "that generation gives; remove <think> from the rows, or choose a base model whose template keeps it.",
        )
    return MlError(
        "template_inconsistent",
        "The chat template renders a prompt differently when an answer follows it, so training and generation "
        "would not match; use a base model whose template keeps the prompt unchanged.",
    )


def _excerpt(text: str) -> str:
    shown = " ".join(text.split())
    return f"“{shown[:60]}…”" if len(shown) > 60 else f"“{shown}”"


def _apply(tokenizer: Any, turns: Sequence[Turn], tools: Sequence[Any] | None, *, opening: bool) -> str:
    from jinja2.exceptions import TemplateError

    used = rendering(tokenizer)
    switches: dict[str, Any] = {"enable_thinking": used.thinking}
    if tools:
        switches["tools"] = list(tools)
    given = [{name: turn[name] for name in turn if name not in _NOT_RENDERED} for turn in turns]
    try:
        # Templates of thinking models open a thought unless told otherwise; the others ignore the switch.
        with _clock_at(used.date), bounded("The base model's chat template"):
            text: str = tokenizer.apply_chat_template(
                given, tokenize=False, add_generation_prompt=opening, **switches
            )
    except (TemplateError, TypeError) as error:
        raise _failed(turns, tools, error) from error
    if len(text) > _MAX_CHARACTERS:
        raise MlError(
            "template_too_large",
            f"The base model's chat template makes {len(text):,} characters of one conversation; choose another base "
            "model, or mend the template.",
        )
    return text


@contextmanager
def _clock_at(date: str | None) -> Iterator[None]:
    """Let templates print this day. transformers gives them its own clock and passes them no functions, so its
    module gets a datetime class whose `now` is the start of the day."""
    if date is None:
        yield
        return
    from transformers.utils import chat_template_utils

    day = datetime.fromisoformat(date)
    stopped = type("StoppedClock", (datetime,), {"now": classmethod(lambda cls, tz=None: day)})
    before = chat_template_utils.datetime
    chat_template_utils.datetime = stopped
    try:
        yield
    finally:
        chat_template_utils.datetime = before


def _failed(turns: Sequence[Turn], tools: Sequence[Any] | None, error: Exception) -> MlError:
    if tools or any(turn["role"] == "tool" or turn.get("tool_calls") for turn in turns):
        return _tools_unsupported(f"it refuses them ({error})")
    roles = ", ".join(turn["role"] for turn in turns[:6])
    return MlError(
        "template_failed",
        f"The base model's chat template refuses the turns {roles}{', …' if len(turns) > 6 else ''} ({error}); "
        "choose an instruction-tuned base model whose template accepts them.",
    )
