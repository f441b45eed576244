"""One loaded base that generates for every model of a comparison by switching adapters. Merged models are loaded
separately."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training.artefacts import verify
from training.config import DecodingConfig
from worker.ml.adapters import require_effect
from worker.ml.chat import Rendering
from worker.ml.continuous import Limits, Row, Writer
from worker.ml.errors import MlError
from worker.ml.sampling import Sampler, stream


@dataclass(frozen=True)
class Prompt:
    """A prompt with its token ids and its missing responses, as (model, sample)."""

    prompt_id: str | int
    key: str
    token_ids: list[int]
    wanted: frozenset[tuple[str, int]] = field(default=frozenset())


class Sides:
    """Models by id. An adapter of None means the base itself, unless the model is in `whole`, which holds loaded
    merged models. Exactly one model is active during generation."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        ends: set[int],
        adapters: dict[str, Path | None],
        decoding: DecodingConfig,
        whole: dict[str, Any] | None = None,
    ) -> None:
        self._tokenizer, self._ends, self._decoding = tokenizer, frozenset(ends), decoding
        self.adapters = {name: folder for name, folder in adapters.items() if folder}
        self.model = _with_adapters(model, self.adapters)
        self.model.eval()
        self.whole = {name: loaded.eval() for name, loaded in (whole or {}).items()}

    def prove_adapters(self, token_ids: list[int]) -> None:
        """Raise MlError("adapter_not_applied") unless each adapter changes the base's output."""
        for name in self.adapters:
            self.model.set_adapter(name)
            require_effect(self.model, token_ids, adapter=name)

    def write(
        self,
        model: str,
        rows: list[Row],
        *,
        tick: Callable[[], None],
        width: int | None = None,
        max_new_tokens: int | None = None,
    ) -> Iterator[list[Row]]:
        """Generate `rows` with one model, at most `width` at once; see `continuous.Writer.write`."""
        limits = Limits(
            width=width or self._decoding.batch_size,
            max_new_tokens=max_new_tokens or self._decoding.max_new_tokens,
            ends=self._ends,
            pad=self._tokenizer.pad_token_id,
        )
        sampler = Sampler(self._decoding.temperature, self._decoding.top_p)
        with self._only(model):
            yield from Writer(self.whole.get(model, self.model), sampler, limits, tick).write(rows)

    def row(self, prompt: Prompt, sample: int) -> Row:
        """A response to generate. Its random numbers depend on the seed, the prompt's key and the sample."""
        return Row((prompt, sample), prompt.token_ids, stream(self._decoding.seed, prompt.key, sample))

    def response(self, model: str, row: Row) -> dict[str, Any]:
        """The reported form of a row that has ended."""
        prompt, sample = row.name
        stopped = row.tokens[-1] in self._ends
        written = row.tokens[:-1] if stopped else row.tokens
        return {
            "prompt_id": prompt.prompt_id,
            "model": model,
            "sample": sample,
            "text": self._tokenizer.decode(written, skip_special_tokens=True).strip(),
            "input_tokens": len(prompt.token_ids),
            "output_tokens": len(row.tokens),  # the end token is generated too
            "batch_latency_ms": round((row.ended - row.started) * 1000, 1),
            "batch_size": row.companions,
            "finish_reason": "stop" if stopped else "length",
        }

    def _only(self, model: str) -> AbstractContextManager[Any]:
        """A context in which only this model's adapter is active."""
        if model in self.adapters:
            self.model.set_adapter(model)
            return nullcontext()
        disabled: AbstractContextManager[Any] = (
            self.model.disable_adapter() if self.adapters else nullcontext()
        )
        return disabled


def adapter_rendering(folders: Iterable[Path]) -> Rendering | None:
    """How the template was used in training these adapters, or models into which one was merged; None without any.

    Raises ArtefactError, or MlError("template_mismatch") if they differ.
    """
    # Adapters of releases before 0.2 record nothing: their template was used as it is, with its own clock.
    found = {Rendering(**verify(folder).get("rendering", {})) for folder in folders}
    if len(found) > 1:
        raise MlError(
            "template_mismatch",
            "The adapters were trained with the chat template used in different ways (date, system turn or thoughts), "
            "so they cannot be asked the same prompts; compare each with the base alone.",
        )
    return found.pop() if found else None


def check_adapter(folder: Path, base: dict[str, Any]) -> dict[str, Any]:
    """The facts of an adapter or merged model, after checking that it is complete and belongs to this base. `base`
    comes from `inspect_base`.

    Raises ArtefactError, or MlError with code adapter_other_base or template_mismatch.
    """
    facts = verify(folder)
    # The template first: a changed template also changes the base's files, and naming it is more precise.
    if facts["template_hash"] != base["template_hash"]:
        raise MlError(
            "template_mismatch",
            f"The adapter in {folder} was trained with the chat template {facts['template_hash']}, the base now has "
            f"{base['template_hash']}; restore the tokenizer it was trained with or train again.",
        )
    if facts["base"]["sha256"] != base["sha256"]:
        raise MlError(
            "adapter_other_base",
            f"The adapter in {folder} was trained on {facts['base']['name']} with other files than this base "
            f"model; "
            "choose the base it was trained on.",
        )
    return facts


def _with_adapters(model: Any, adapters: dict[str, Path]) -> Any:
    from peft import PeftModel

    for number, (name, folder) in enumerate(adapters.items()):
        if number == 0:
            model = PeftModel.from_pretrained(model, folder, adapter_name=name)
        else:
            model.load_adapter(folder, adapter_name=name)
    return model
