"""The model card: what the model is made from, its training and results, and its permitted use."""

from typing import Any

import yaml

from ftplatform.text.markdown import bullets, escape, table
from ftplatform.text.numbers import count, figure, percent
from ftplatform.text.values import plain
from training.models import ModelVersion
from training.runs.markdown import TOY_NOTE, facts


def markdown(model: ModelVersion, summary: list[dict[str, Any]]) -> str:
    """The card as Markdown with the front matter that model hubs read.

    `summary` is `selectors.run_summary` of the run that produced the model, empty for a base model.
    """
    adapter = model.source or model
    base, run = adapter.base or adapter, adapter.run
    parts = [
        f"---\n{yaml.safe_dump(_front_matter(model, base), sort_keys=False, allow_unicode=True)}---",
        f"# {escape(model.name)}",
        *([TOY_NOTE] if model.is_demo else []),
        _what(model, base),
        *how_to_use(model.kind),
        "## Licence",
        escape(model.licence)
        or "Not recorded. Ask the publisher of the base model before you distribute this model.",
        "## Base model",
        bullets(_base_facts(base)),
    ]
    if run is not None:
        parts += ["## Training", bullets(facts(run, summary))]
        parts += ["### Settings", table(["Setting", "Value"], [[k, plain(v)] for k, v in run.config.items()])]
        parts += ["### Versions", bullets([(k, str(v)) for k, v in run.facts.get("libraries", {}).items()])]
    if model.kind == ModelVersion.Kind.MERGED:
        parts += ["## Effect of merging", bullets(merged_difference(model))]
    parts += ["## Limits", _LIMITS, "## Identity", bullets(_identity(model))]
    return "\n\n".join(part for part in parts if part) + "\n"


_LOADED = {
    ModelVersion.Kind.ADAPTER: """\
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("BASE")
model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained("BASE"), "THIS_FOLDER")
""",
    ModelVersion.Kind.MERGED: """\
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("THIS_FOLDER")
model = AutoModelForCausalLM.from_pretrained("THIS_FOLDER")
""",
}
_ASKED = """\
messages = [{"role": "system", "content": "the instruction"}, {"role": "user", "content": "the input"}]
prompt = tokenizer.apply_chat_template(
    messages, add_generation_prompt=True, enable_thinking=False, return_tensors="pt", return_dict=True
)
answer = model.generate(**prompt, max_new_tokens=200)[0, prompt["input_ids"].shape[1] :]
print(tokenizer.decode(answer, skip_special_tokens=True))
"""


def how_to_use(kind: str) -> list[str]:
    """Paragraphs on loading and prompting a model that was produced here; none for any other."""
    loaded = _LOADED.get(ModelVersion.Kind(kind))
    if loaded is None:
        return []
    statement = (
        "Prompt it as in training: the instruction is the system message and the input is the user message. "
        "Inputs that are objects are JSON on one line."
    )
    return ["## Use", statement, f"```python\n{loaded}{_ASKED}```"]


_LIMITS = (
    "Loss and token accuracy measure how well held-out answers are predicted, not whether people prefer them. "
    "Tasks unlike the dataset were not tested. Review the model blind before you release it."
)


def _front_matter(model: ModelVersion, base: ModelVersion) -> dict[str, Any]:
    tags = ["ftplatform", *(["toy-model"] if model.is_demo else [])]
    matter: dict[str, Any] = {"license": model.licence or "unknown"}
    if model.pk != base.pk:
        matter |= {"base_model": base.hub_reference.partition("@")[0] or base.name}
    if model.kind == ModelVersion.Kind.ADAPTER:
        matter |= {"library_name": "peft"}
    return matter | {"pipeline_tag": "text-generation", "tags": tags}


def _what(model: ModelVersion, base: ModelVersion) -> str:
    name = escape(base.name)
    return {
        ModelVersion.Kind.BASE: "A base model, as it was registered.",
        ModelVersion.Kind.ADAPTER: f"A LoRA adapter for {name}. It works only with that base model.",
        ModelVersion.Kind.MERGED: f"{name} with an adapter merged into it at 16 bit. It needs no separate adapter.",
    }.get(ModelVersion.Kind(model.kind), "An external system.")


def _base_facts(base: ModelVersion) -> list[tuple[str, str]]:
    details = base.details
    return [
        ("Name", base.name),
        *([("From", base.hub_reference)] if base.hub_reference else []),
        ("Architecture", str(details.get("architecture", "not recorded"))),
        ("Parameters", count(details.get("parameters"))),
        ("SHA-256", base.weights_hash),
    ]


_COMPARED_WITH = {
    "unmerged_16_bit": "the adapter on the 16-bit base",
    "unmerged_as_trained": "the adapter on the 4-bit base that it was trained on",
}


def merged_difference(model: ModelVersion) -> list[tuple[str, str]]:
    """The difference between the answers of the merged and the unmerged model, as measured by the merge."""
    return [
        (
            f"Against {words}",
            f"logits differ by {figure(difference.get('mean_logit_difference'))} on average and by "
            f"{figure(difference.get('max_logit_difference'))} at most; "
            f"{percent(difference.get('greedy_agreement'), 1)} of the most likely tokens stayed the same",
        )
        for name, words in _COMPARED_WITH.items()
        if (difference := model.details.get(name))
    ]


def _identity(model: ModelVersion) -> list[tuple[str, str]]:
    return [
        ("SHA-256", model.weights_hash or "none"),
        ("Stage", model.get_stage_display()),
        ("Registered", f"{model.created_at:%Y-%m-%d} by {model.created_by}"),
    ]
