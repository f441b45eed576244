"""A run's facts as Markdown: training data, results, and the location of the adapter."""

from typing import Any

from ftplatform.text.markdown import bullets, escape, table
from ftplatform.text.numbers import count, decimal, duration, percent, points, signed_percent
from ftplatform.text.values import plain
from training.models import TrainingRun
from training.runs.hyperparameters import described


def markdown(run: TrainingRun, summary: list[dict[str, Any]]) -> str:
    """The facts for an e-mail or a repository; `summary` comes from `selectors.run_summary`."""
    parts = [
        f"# Training run: {escape(run.name)}",
        *([TOY_NOTE] if run.base_model.is_demo else []),
        bullets(facts(run, summary)),
        "## Configuration",
        table(["Setting", "Value"], [[name, plain(value)] for name, value in described(run.config)]),
    ]
    return "\n\n".join(parts) + "\n"


TOY_NOTE = "> **Toy model.** This tiny model only shows how the site works. Its results say nothing about real models."


def facts(run: TrainingRun, summary: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """The most important facts, as (name, words)."""
    adapter = getattr(run, "adapter", None)
    device = run.facts.get("device")
    return [
        ("Status", run.get_status_display()),
        ("Base model", run.base_model.name),
        (
            "Dataset",
            f"{run.dataset}: {count(run.dataset.rows)} examples ({count(run.dataset.train_rows)} train, "
            f"{count(run.dataset.validation_rows)} validation)",
        ),
        ("Method", f"{'QLoRA' if run.config['method'] == 'qlora' else 'LoRA'}, rank {run.config['lora_r']}"),
        ("Training duration", f"{duration(run.duration)}{f' on {device}' if device else ''}"),
        *[fact for row in summary for fact in _change(row)],
        ("Adapter", adapter.path if adapter else "none"),
        *([("Adapter SHA-256", adapter.weights_hash)] if adapter else []),
        ("Dataset SHA-256", run.dataset.content_hash),
        ("Base model SHA-256", run.base_model.weights_hash),
    ]


def _change(row: dict[str, Any]) -> list[tuple[str, str]]:
    """Loss with its relative change, and token accuracy with its change in points, from the first to the last step."""
    split, first, last = row["split"], row["first"], row["last"]
    lost = None if not first.loss else last.loss / first.loss - 1
    changes = [(f"{split} loss", f"{decimal(first.loss)} → {decimal(last.loss)} ({signed_percent(lost)})")]
    if first.token_accuracy is not None and last.token_accuracy is not None:
        gained = points(last.token_accuracy - first.token_accuracy)
        changes.append(
            (
                f"{split} token accuracy",
                f"{percent(first.token_accuracy, 1)} → {percent(last.token_accuracy, 1)} ({gained})",
            )
        )
    return changes
