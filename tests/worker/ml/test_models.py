"""A base that only the loaded tokenizer shows to be bad is refused before anything runs, each with its own code.

What the files alone show is in `tests/training/registry/test_models.py`.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.worker.ml.conftest import BASE
from training import model_folder
from worker.ml.errors import MlError
from worker.ml.models import inspect_base, load_base, load_tokenizer, resolve_base


def edit(name: str, **changes: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        content = json.loads((folder / name).read_text()) | changes
        (folder / name).write_text(json.dumps(content))

    return change


def unloadable(folder: Path) -> None:
    content = json.loads((folder / "tokenizer.json").read_text())
    content["model"]["type"] = "Nothing"
    (folder / "tokenizer.json").write_text(json.dumps(content))


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


TOO_MANY = [f"<extra{number}>" for number in range(2000)]

BAD_FOLDERS = [
    (shutil.rmtree, "model_missing"),
    (edit("config.json", auto_map={"AutoModelForCausalLM": "own.Model"}), "remote_code"),
    (unloadable, "tokenizer_damaged"),
    (edit("tokenizer_config.json", extra_special_tokens=TOO_MANY), "tokenizer_disagrees"),
    (edit("tokenizer_config.json", eos_token=None), "tokenizer_no_end"),
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
    assert caught.value.code == "model_missing"
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


def test_an_adapter_names_its_base_by_the_hash_it_is_registered_with():
    assert inspect_base(BASE)["sha256"] == model_folder.inspect(BASE).weights_hash


def test_nf4_is_doubly_quantised_and_stays_trainable_after_an_evaluation():
    from bitsandbytes.nn import Linear4bit

    model = load_base(BASE, quantisation="nf4", device="cpu")
    quantised = [module for module in model.modules() if isinstance(module, Linear4bit)]
    assert len(quantised) == 4 * 7
    for module in quantised:
        assert module.weight.quant_state.quant_type == "nf4"
        assert module.weight.quant_state.nested
        assert module.support_avx512bf16_for_cpu is False
