"""Create the demonstration's base model: `python -m worker.ml.demo.base_model OUT_DIR`.

A small Qwen3-shaped model with its own byte-level tokenizer, trained from scratch on `worker.ml.demo.pretraining`. It
lets the whole fine-tuning path run with real figures on a laptop without a network. The seed fixes the data and the
initial weights; the last bits of the weights depend on the processor.
"""

import sys
import time
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GenerationConfig, PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from worker.ml.chat import as_text
from worker.ml.data import Row, TokenisedRow, tokenise_rows
from worker.ml.demo.model_card import MODEL_CARD
from worker.ml.demo.pretraining import lessons
from worker.ml.models import device_name

SEED = 7
STEPS = 1000
PEAK_LEARNING_RATE = 2e-3
WARMUP_STEPS = 80
VOCABULARY = 1536
CONTEXT = 2048
PAD, TURN, END = "<|pad|>", "<|turn|>", "<|end|>"
CHAT_TEMPLATE = (
    "{% for message in messages %}<|turn|>{{ message['role'] }}\n{{ message['content'] }}<|end|>\n{% endfor "
    "%}"
    "{% if add_generation_prompt %}<|turn|>assistant\n{% endif %}"
)


def make(folder: Path, steps: int = STEPS) -> None:
    """Train tokenizer and model and write the model folder; progress goes to stderr."""
    device_name()  # sets the number of threads
    batches = lessons(steps, SEED)
    tokenizer = train_tokenizer([row for batch in batches[:300] for row in batch])
    model = new_model(tokenizer)
    teach(model, tokenizer, batches)
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "README.md").write_text(MODEL_CARD, encoding="utf-8")


def train_tokenizer(examples: list[Row]) -> Any:
    """Byte-level BPE over the domain: any text can be encoded; numbers up to 99 are one token each."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\d{1,2}"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    bpe.decoder = decoders.ByteLevel()
    texts = [as_text(value) for row in examples for value in (row.instruction, row.input, row.output)]
    bpe.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=VOCABULARY,
            special_tokens=[PAD, TURN, END],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        pad_token=PAD,
        eos_token=END,
        additional_special_tokens=[TURN],
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def new_model(tokenizer: Any) -> Any:
    """About two million parameters, initialised from SEED."""
    torch.manual_seed(SEED)
    model = Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=VOCABULARY,
            hidden_size=192,
            intermediate_size=512,
            num_hidden_layers=4,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=48,
            max_position_embeddings=CONTEXT,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    model.generation_config = GenerationConfig(
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, do_sample=False
    )
    return model


def teach(model: Any, tokenizer: Any, batches: list[list[Row]]) -> None:
    """Train with one step per batch and the loss on the answers: AdamW, warm-up, then linear decay to zero."""
    steps = len(batches)
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=PEAK_LEARNING_RATE, weight_decay=0.01, betas=(0.9, 0.98)
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min((step + 1) / WARMUP_STEPS, (steps - step) / max(1, steps - WARMUP_STEPS))
    )
    started = time.monotonic()
    for step, rows in enumerate(batches):
        ids, labels = collate(tokenise_rows(rows, tokenizer, {tokenizer.eos_token_id}, CONTEXT))
        hidden = model.model(input_ids=ids).last_hidden_state[:, :-1]
        answered = labels[:, 1:] != -100  # compute logits only where there is a loss
        loss = torch.nn.functional.cross_entropy(model.lm_head(hidden[answered]), labels[:, 1:][answered])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()
        if step % 25 == 0 or step == steps - 1:
            seconds = time.monotonic() - started
            sys.stderr.write(f"step {step + 1}/{steps} loss {loss.item():.3f} {seconds:.0f} s\n")


def collate(rows: list[TokenisedRow]) -> tuple[Any, Any]:
    """(ids, labels), both (batch, longest row); -100 where there is no loss. Padding is on the right, so no mask is
    needed."""
    width = max(len(row.input_ids) for row in rows)
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    labels = torch.full((len(rows), width), -100)
    for index, row in enumerate(rows):
        length = len(row.input_ids)
        ids[index, :length] = torch.tensor(row.input_ids)
        answer = torch.tensor(row.completion_mask, dtype=torch.bool)
        labels[index, :length][answer] = ids[index, :length][answer]
    return ids, labels


if __name__ == "__main__":
    make(Path(sys.argv[1]))
