"""A bad base model is refused before anything runs, each with its own code."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.worker.ml.conftest import BASE
from worker.ml.errors import MlError
from worker.ml.models import inspect_base, load_base, load_tokenizer, resolve_base


def edit(name: str, **changes: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        content = json.loads((folder / name).read_text()) | changes
        (folder / name).write_text(json.dumps(content))

    return change


def remove(*names: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return change


def pickled_only(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def cut_short(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])


def missing_shard(folder: Path) -> None:
    index = {"weight_map": {"a": "model.safetensors", "b": "model-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def too_many_tokens(folder: Path) -> None:
    tokenizer = load_tokenizer(folder, embedding_rows=10**6)
    tokenizer.add_tokens([f"extra{number}" for number in range(2000)])
    tokenizer.save_pretrained(folder)


def only_an_end_token(folder: Path) -> None:
    edit("tokenizer_config.json", pad_token="<|end|>", additional_special_tokens=[], extra_special_tokens=[])(
        folder
    )
    content = json.loads((folder / "tokenizer.json").read_text())
    for token in content["added_tokens"]:
        token["special"] = token["content"] == "<|end|>"
    (folder / "tokenizer.json").write_text(json.dumps(content))


def template_that_refuses(folder: Path) -> None:
    (folder / "chat_template.jinja").write_text("{{ raise_exception('no system message') }}")


BAD_FOLDERS = [
    (shutil.rmtree, "base_missing"),
    (remove("config.json"), "base_no_config"),
    (remove("model.safetensors"), "base_no_safetensors"),
    (pickled_only, "base_no_safetensors"),
    (cut_short, "base_weights_damaged"),
    (missing_shard, "base_weights_damaged"),
    (edit("config.json", auto_map={"AutoModelForCausalLM": "own.Model"}), "base_custom_code"),
    (edit("tokenizer_config.json", auto_map={"AutoTokenizer": ["own.T", None]}), "base_custom_code"),
    (edit("config.json", quantization_config={"quant_method": "gptq"}), "base_quantised"),
    (edit("config.json", architectures=["Qwen3ForSequenceClassification"]), "base_not_causal"),
    (remove("tokenizer.json"), "tokenizer_missing"),
    (too_many_tokens, "tokenizer_disagrees"),
    (edit("generation_config.json", eos_token_id=[2, 99_999]), "tokenizer_disagrees"),
    (remove("chat_template.jinja"), "tokenizer_no_template"),
    (only_an_end_token, "tokenizer_no_pad"),
    (template_that_refuses, "template_failed"),
]


@pytest.mark.parametrize(("spoil", "code"), BAD_FOLDERS)
def test_a_bad_folder_is_refused_with_its_code(tmp_path: Path, spoil, code: str):
    folder = shutil.copytree(BASE, tmp_path / "base")
    spoil(folder)
    with pytest.raises(MlError) as caught:
        inspect_base(folder)
    assert caught.value.code == code


def test_a_name_must_be_a_folder_or_pinned():
    with pytest.raises(MlError) as caught:
        resolve_base("someone/some-model")
    assert caught.value.code == "base_missing"
    assert resolve_base(str(BASE)) == BASE


def test_a_base_is_described_without_loading_it():
    facts = inspect_base(BASE)
    assert facts["architecture"] == "Qwen3ForCausalLM"
    assert (facts["hidden_size"], facts["layers"]) == (192, 4)
    model = load_base(BASE, quantisation="none", device="cpu")
    assert facts["parameters"] == sum(parameter.numel() for parameter in model.parameters())
    assert facts["vocab"] == model.get_input_embeddings().weight.shape[0]


def test_pad_equal_to_end_is_mended_with_another_special_token(tmp_path: Path):
    folder = shutil.copytree(BASE, tmp_path / "base")
    edit("tokenizer_config.json", pad_token="<|end|>")(folder)
    tokenizer = load_tokenizer(folder, embedding_rows=10**6)
    assert tokenizer.pad_token not in (None, tokenizer.eos_token)


def test_the_identity_changes_with_any_file(tmp_path: Path):
    folder = shutil.copytree(BASE, tmp_path / "base")
    assert inspect_base(folder)["sha256"] == inspect_base(BASE)["sha256"]
    edit("generation_config.json", temperature=0.5)(folder)
    assert inspect_base(folder)["sha256"] != inspect_base(BASE)["sha256"]


def test_nf4_is_doubly_quantised_and_stays_trainable_after_an_evaluation():
    from bitsandbytes.nn import Linear4bit

    model = load_base(BASE, quantisation="nf4", device="cpu")
    quantised = [module for module in model.modules() if isinstance(module, Linear4bit)]
    assert len(quantised) == 4 * 7
    for module in quantised:
        assert module.weight.quant_state.quant_type == "nf4"
        assert module.weight.quant_state.nested
        assert module.support_avx512bf16_for_cpu is False
