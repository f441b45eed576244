"""Registering base models: every bad folder is refused with its reason before anything runs."""

import json
import shutil
import struct
from pathlib import Path

import pytest

from ftplatform.errors import DomainError
from tests import factories
from training import model_folder
from training.models import ModelVersion
from training.services import models

DEMO_BASE = Path(__file__).resolve().parents[2] / "worker" / "ml" / "demo" / "base"


@pytest.fixture
def folder(tmp_path):
    copy = tmp_path / "model"
    shutil.copytree(DEMO_BASE, copy)
    return copy


def edit(file, **changes):
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def drop_header(folder):
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", 10**12) + b"{}")


def pickle_instead(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def foreign_tokenizer(folder):
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["added_tokens"].append({"id": 99_999, "content": "<x>", "special": True})
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))


def drop_template(folder):
    (folder / "chat_template.jinja").unlink()


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (shutil.rmtree, "model_missing"),
        (lambda f: (f / "config.json").unlink(), "config_missing"),
        (lambda f: (f / "config.json").write_text("{"), "model_damaged"),
        (lambda f: edit(f / "config.json", auto_map={"AutoModel": "evil.Model"}), "remote_code"),
        (lambda f: edit(f / "tokenizer_config.json", auto_map={"AutoTokenizer": "evil.T"}), "remote_code"),
        (lambda f: edit(f / "config.json", architectures=["BertModel"]), "architecture_unknown"),
        (lambda f: edit(f / "config.json", architectures=None), "architecture_unknown"),
        (lambda f: (f / "model.safetensors").unlink(), "no_safetensors"),
        (pickle_instead, "no_safetensors"),
        (drop_header, "model_damaged"),
        (
            lambda f: (f / "model.safetensors").write_bytes((f / "model.safetensors").read_bytes()[:-9]),
            "model_damaged",
        ),
        (lambda f: (f / "tokenizer.json").unlink(), "tokenizer_missing"),
        (lambda f: (f / "tokenizer.json").write_text("{}"), "tokenizer_damaged"),
        (foreign_tokenizer, "tokenizer_disagrees"),
        (drop_template, "no_chat_template"),
    ],
)
def test_a_bad_folder_is_refused_with_its_code(folder, spoil, code):
    spoil(folder)
    with pytest.raises(model_folder.ModelFolderError) as caught:
        model_folder.inspect(folder)
    assert caught.value.code == code
    assert str(caught.value).endswith(".")


def test_a_good_folder_is_described_without_loading_it(folder):
    facts = model_folder.inspect(folder)
    assert facts.architecture == "Qwen3ForCausalLM"
    assert 1_000_000 < facts.parameters < 4_000_000
    assert facts.size_bytes <= 8 * 2**20


@pytest.mark.django_db
def test_the_same_folder_twice_is_one_model_and_a_changed_one_is_noticed(folder):
    owner = factories.user()
    first = models.register_base(user=owner, name="base", path=str(folder))
    assert models.register_base(user=owner, name="base", path=str(folder)).pk == first.pk
    models.check_unchanged(first)
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(DomainError) as caught:
        models.check_unchanged(first)
    assert caught.value.code == "weights_changed"
    with pytest.raises(DomainError) as caught:
        models.register_base(user=owner, name="base", path=str(folder))
    assert caught.value.code == "name_taken"
    assert ModelVersion.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["relative/path", "", "../x"])
def test_a_relative_path_is_refused(path):
    with pytest.raises(DomainError) as caught:
        models.register_base(user=factories.user(), name="x", path=path)
    assert caught.value.code == "relative_path"


def test_the_shipped_demo_base_loads_as_registered():
    assert {"model.safetensors", "README.md", "tokenizer.json"} <= {file.name for file in DEMO_BASE.iterdir()}
