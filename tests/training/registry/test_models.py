"""Registering base models: every bad folder is refused with its reason before anything runs."""

import json
import shutil
import struct
from pathlib import Path

import pytest

from ftplatform.errors import DomainError
from tests import factories
from training import integrity, model_folder
from training.models import ModelVersion
from training.registry.services import models

DEMO_BASE = Path(__file__).resolve().parents[3] / "worker" / "ml" / "demo" / "base"


@pytest.fixture
def folder(tmp_path):
    copy = tmp_path / "model"
    shutil.copytree(DEMO_BASE, copy)
    return copy


def edit(name, **changes):
    def change(folder):
        content = json.loads((folder / name).read_text()) | changes
        (folder / name).write_text(json.dumps(content))

    return change


def write(name, content):
    return lambda folder: (folder / name).write_text(content)


def remove(name):
    return lambda folder: (folder / name).unlink()


def rename(old, new):
    return lambda folder: (folder / old).rename(folder / new)


def weights(header, data=b""):
    """Replace the weights with this header (text, or an object) and data."""
    raw = (header if isinstance(header, str) else json.dumps(header)).encode()
    return lambda folder: (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(raw)) + raw + data)


def resize(change):
    """Cut the weights short, or add to them."""

    def spoil(folder):
        file = folder / "model.safetensors"
        file.write_bytes(file.read_bytes()[:change] if change < 0 else file.read_bytes() + bytes(change))

    return spoil


def header_longer_than_the_file(folder):
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", 10**12) + b"{}")


def index(*shards):
    return write(
        "model.safetensors.index.json", json.dumps({"weight_map": dict(zip("abc", shards, strict=False))})
    )


def foreign_tokenizer(folder):
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["added_tokens"].append({"id": 99_999, "content": "<x>", "special": True})
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))


def sentencepiece_only(folder):
    (folder / "tokenizer.json").rename(folder / "tokenizer.model")


ODD_SHAPE = {"w": {"dtype": "F32", "shape": ["a"], "data_offsets": [0, 0]}}
ODD_END = {"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, "4"]}}
NO_TENSORS = {"__metadata__": {"format": "pt"}}

BAD_FOLDERS = {
    "no folder": (shutil.rmtree, "model_missing"),
    "no config": (remove("config.json"), "config_missing"),
    "config no JSON": (write("config.json", "{"), "model_damaged"),
    "config no object": (write("config.json", "[]"), "model_damaged"),
    "code in config": (edit("config.json", auto_map={"AutoModel": "evil.Model"}), "remote_code"),
    "code in tokenizer": (edit("tokenizer_config.json", auto_map={"AutoTokenizer": "evil.T"}), "remote_code"),
    "code asked for": (edit("config.json", trust_remote_code=True), "remote_code"),
    "an adapter": (write("adapter_config.json", "{}"), "model_is_adapter"),
    "quantised": (edit("config.json", quantization_config={"quant_method": "gptq"}), "model_quantised"),
    "another kind": (edit("config.json", architectures=["BertModel"]), "architecture_unknown"),
    "another family": (edit("config.json", architectures=["GPT2ForCausalLM"]), "architecture_not_allowed"),
    "a classifier first": (
        edit("config.json", architectures=["Qwen3ForSequenceClassification", "Qwen3ForCausalLM"]),
        "architecture_unknown",
    ),
    "no kind": (edit("config.json", architectures=None), "architecture_unknown"),
    "no weights": (remove("model.safetensors"), "no_safetensors"),
    "pickles alone": (rename("model.safetensors", "pytorch_model.bin"), "no_safetensors"),
    "weights nobody loads": (rename("model.safetensors", "consolidated.safetensors"), "no_safetensors"),
    "header cut": (header_longer_than_the_file, "model_damaged"),
    "header no JSON": (weights("{]"), "model_damaged"),
    "header no object": (weights("[]"), "model_damaged"),
    "odd shape": (weights(ODD_SHAPE), "model_damaged"),
    "odd end": (weights(ODD_END, bytes(4)), "model_damaged"),
    "weights empty": (lambda folder: (folder / "model.safetensors").write_bytes(b""), "model_damaged"),
    "weights cut": (resize(-9), "model_damaged"),
    "weights too long": (resize(9), "model_damaged"),
    "shard missing": (index("model.safetensors", "model-00002.safetensors"), "model_damaged"),
    "shard elsewhere": (index("../model.safetensors"), "model_damaged"),
    "shard pickled": (index("pytorch_model.bin"), "model_damaged"),
    "index empty": (write("model.safetensors.index.json", "{}"), "model_damaged"),
    "too few rows": (edit("config.json", vocab_size=10**6), "model_damaged"),
    "tokens uncounted": (
        lambda f: (edit("config.json", vocab_size=None)(f), weights(NO_TENSORS)(f)),
        "model_damaged",
    ),
    "no tokenizer": (remove("tokenizer.json"), "tokenizer_missing"),
    "SentencePiece only": (sentencepiece_only, "tokenizer_missing"),
    "no vocabulary": (write("tokenizer.json", "{}"), "tokenizer_damaged"),
    "tokenizer no JSON": (write("tokenizer.json", "{"), "tokenizer_damaged"),
    "foreign tokenizer": (foreign_tokenizer, "tokenizer_disagrees"),
    "foreign end": (edit("generation_config.json", eos_token_id=[2, 99_999]), "tokenizer_disagrees"),
    "end no number": (edit("generation_config.json", eos_token_id="</s>"), "tokenizer_disagrees"),
    "generation no JSON": (write("generation_config.json", "{"), "model_damaged"),
    "no template": (remove("chat_template.jinja"), "no_chat_template"),
    "template empty": (write("chat_template.jinja", ""), "no_chat_template"),
    "template for tools only": (
        lambda f: (
            remove("chat_template.jinja")(f),
            edit("tokenizer_config.json", chat_template=[{"name": "tool_use", "template": "x"}])(f),
        ),
        "no_chat_template",
    ),
}


@pytest.mark.parametrize(("spoil", "code"), BAD_FOLDERS.values(), ids=BAD_FOLDERS)
def test_a_bad_folder_is_refused_with_its_code_its_place_and_a_remedy(folder, spoil, code):
    spoil(folder)
    with pytest.raises(model_folder.ModelFolderError) as caught:
        model_folder.inspect(folder)
    assert caught.value.code == code
    message = str(caught.value)
    assert str(folder) in message and "; " in message and message.endswith(".")


def test_a_file_that_may_not_be_read_is_named(folder, monkeypatch):
    def refuse(file, *args, **kwargs):
        raise PermissionError(13, "Permission denied", str(file))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(model_folder.ModelFolderError) as caught:
        model_folder.inspect(folder)
    assert caught.value.code == "model_unreadable"
    assert str(folder) in str(caught.value) and "Permission denied" in str(caught.value)


def test_pickles_beside_the_weights_and_a_readme_are_no_part_of_the_model(folder):
    before = model_folder.inspect(folder)
    (folder / "pytorch_model.bin").write_bytes(b"never opened")
    (folder / "NOTES.md").write_text("Nor this.")
    assert model_folder.inspect(folder) == before


def test_shards_are_one_model_and_a_second_copy_of_the_weights_is_not_counted(folder):
    whole = model_folder.inspect(folder)
    shutil.copy(folder / "model.safetensors", folder / "consolidated.safetensors")
    rename("model.safetensors", "model-00001.safetensors")(folder)
    index("model-00001.safetensors")(folder)
    facts = model_folder.inspect(folder)
    assert (facts.parameters, facts.size_bytes) == (whole.parameters, whole.size_bytes)


@pytest.mark.parametrize(
    "template",
    ["{{ messages }}", [{"name": "default", "template": "{{ messages }}"}]],
    ids=["one", "several"],
)
def test_the_template_may_stand_in_the_tokenizers_settings(folder, template):
    remove("chat_template.jinja")(folder)
    edit("tokenizer_config.json", chat_template=template)(folder)
    model_folder.inspect(folder)


@pytest.mark.parametrize(
    "change",
    [
        write("chat_template.jinja", "{{ messages }}"),
        edit("generation_config.json", temperature=0.5),
        edit("config.json", rms_norm_eps=1e-5),
        edit("tokenizer_config.json", pad_token="<|turn|>"),
    ],
    ids=["template", "generation settings", "config", "tokenizer settings"],
)
def test_the_identity_changes_with_whatever_changes_the_answers(folder, change):
    before = model_folder.inspect(folder).weights_hash
    change(folder)
    assert model_folder.inspect(folder).weights_hash != before


def test_a_good_folder_is_described_without_loading_it(folder):
    facts = model_folder.inspect(folder)
    assert facts.architecture == "Qwen3ForCausalLM"
    assert 1_000_000 < facts.parameters < 4_000_000
    assert facts.size_bytes <= 8 * 2**20
    assert {"config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja"} <= set(facts.files)
    assert "files" not in facts.to_json()


@pytest.mark.django_db
def test_the_same_folder_twice_is_one_model_and_a_changed_one_is_noticed(folder):
    owner = factories.user()
    first = models.register_base(user=owner, name="base", path=str(folder))
    assert models.register_base(user=owner, name="base", path=str(folder)).pk == first.pk
    integrity.check_unchanged(first)
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(DomainError) as caught:
        integrity.check_unchanged(first)
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


# --- Chat templates ---------------------------------------------------------------------------------------

TURN = "<|turn|>{{ m['role'] }}\n{{ m['content'] }}<|end|>\n"
OPENING = "{% if add_generation_prompt %}<|turn|>assistant\n{% endif %}"


def with_template(folder, template):
    (folder / "chat_template.jinja").write_text(template)
    return folder


@pytest.mark.django_db
@pytest.mark.slow
def test_a_registered_base_says_what_its_template_supports(folder, client):
    drops_system = "{% for m in messages if m['role'] != 'system' %}" + TURN + "{% endfor %}" + OPENING
    owner = factories.user()
    model = models.register_base(user=owner, name="base", path=str(with_template(folder, drops_system)))
    template = model.details["template"]
    assert (template["system"], template["tools"], template["dated"]) == ("folded", False, False)
    client.force_login(owner)
    page = client.get(f"/training/models/{model.pk}/").content.decode()
    assert "No system turn" in page and "rows with tools are refused" in page


@pytest.mark.django_db
@pytest.mark.slow
@pytest.mark.parametrize(
    ("template", "code"),
    [
        ("{% for m in messages[-1:] %}" + TURN + "{% endfor %}" + OPENING, "template_drops_text"),
        ("{{ raise_exception('never') }}", "template_failed"),
        (
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
            "template_too_slow",
        ),
    ],
)
def test_a_template_that_loses_turns_or_never_ends_is_refused_at_registration(folder, template, code):
    with pytest.raises(DomainError) as caught:
        models.register_base(user=factories.user(), name="base", path=str(with_template(folder, template)))
    assert caught.value.code == code
    assert not ModelVersion.objects.exists()
