"""Sample answers of the model in training to a few fixed validation prompts, so that people can read its progress."""

from dataclasses import dataclass
from typing import Any

from worker.ml.chat import as_text, render_turns
from worker.ml.data import Row
from worker.ml.protocol import Reporter

_LONGEST = 512


@dataclass(frozen=True)
class SamplePrompt:
    """A validation row as text, with its expected answer."""

    row_id: str
    prompt: str
    expected: str


class Answers:
    """Greedy answers to the first `count` validation rows; the same rows at every step."""

    def __init__(self, reporter: Reporter, tokenizer: Any, ends: set[int], rows: list[Row]) -> None:
        self._reporter, self._tokenizer, self._ends = reporter, tokenizer, ends
        self._prompts = [
            SamplePrompt(row.id, render_turns(tokenizer, row.turns, row.tools), as_text(row.output))
            for row in rows
        ]
        expected = [len(self._ids(prompt.expected)) for prompt in self._prompts]
        # 1.5 times the longest expected answer, so that a base that never stops does not delay training.
        self._limit = min(_LONGEST, 16 + max(expected, default=0) * 3 // 2)

    def give(self, model: Any, *, step: int) -> None:
        """Emit `samples` for this step. Restores the mode of the model (training or evaluation)."""
        if not self._prompts:
            return
        import torch
        from transformers import GenerationConfig, StoppingCriteriaList

        batch = self._tokenizer.pad(
            {"input_ids": [self._ids(prompt.prompt) for prompt in self._prompts]}, return_tensors="pt"
        ).to(model.device)
        settings = GenerationConfig(
            max_new_tokens=self._limit,
            do_sample=False,
            use_cache=True,
            pad_token_id=self._tokenizer.pad_token_id,
            eos_token_id=sorted(self._ends),
        )
        was_training = model.training
        model.eval()
        with torch.no_grad():
            output = model.generate(
                **batch, generation_config=settings, stopping_criteria=StoppingCriteriaList([self._alive])
            )
        model.train(was_training)
        width = batch["input_ids"].shape[1]
        answers = [self._answer(number, row[width:].tolist()) for number, row in enumerate(output)]
        self._reporter.emit("samples", step=step, samples=answers)

    def _alive(self, input_ids: Any, *_: Any, **__: Any) -> Any:
        """Called after every token to send a heartbeat. Never stops generation."""
        import torch

        self._reporter.alive()
        return torch.zeros(input_ids.shape[0], dtype=torch.bool, device=input_ids.device)

    def _answer(self, number: int, tokens: list[int]) -> dict[str, Any]:
        end = next((index for index, token in enumerate(tokens) if token in self._ends), None)
        text = self._tokenizer.decode(tokens[:end], skip_special_tokens=True).strip()
        prompt = self._prompts[number]
        return {
            "index": number,
            "row_id": prompt.row_id,
            "prompt": prompt.prompt,
            "expected": prompt.expected,
            "text": text,
            "truncated": end is None,
        }

    def _ids(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])
