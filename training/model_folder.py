"""Check a base model's folder by reading headers only: no weights and no GPU library are loaded.

All these checks are here. The web runs them before a folder is registered and before a run starts. The worker repeats
them in the process that loads the model (`worker.ml.models.inspect_base`), which adds only the checks that need the
tokenizer. Standard library only, so that both sides can share it.

Accepted formats, and why no others:

- Weights are `model.safetensors` or the shards that `model.safetensors.index.json` lists: the files that are loaded.
  Pickled weights beside them are tolerated because nothing ever opens them; alone, they are refused.
- The tokenizer is a `tokenizer.json`. A folder with only a SentencePiece or vocabulary file would have to be
  converted on loading, by packages that are not installed and with ids that cannot be checked here.
- No custom code, no adapter and no quantised weights: each would load as something other than it appears to be.
"""

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

# All files that define a model or tokenizer. Others (a README, pickles) are not part of its identity.
IDENTITY_FILES = ("*.json", "*.safetensors", "*.jinja", "*.txt", "*.model")
_PICKLES = {".bin", ".pt", ".pth", ".pkl", ".ckpt"}
_EMBEDDINGS = ("embed_tokens.weight", "wte.weight", "embed_in.weight", "word_embeddings.weight")
_MAX_HEADER_BYTES = 100 * 2**20
_MAX_JSON_BYTES = 100 * 2**20


# Families that are known to work with adapters, 4-bit loading and the training code. Others load incorrectly
# or not at all.
ARCHITECTURES = frozenset(
    f"{family}ForCausalLM"
    for family in (
        *("Qwen2", "Qwen3", "Llama", "Mistral", "Gemma", "Gemma2", "Gemma3", "Phi3", "Olmo2", "Olmo3"),
        *("SmolLM3", "Granite", "StableLm", "Cohere", "Cohere2", "Exaone4", "Glm4", "Ministral"),
    )
)


class ModelFolderError(Exception):
    """The folder cannot be used; `code` is stable, the message says what is wrong, where, and how to fix it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class ModelFolder:
    """Facts about a base model: `parameters` counts weights, `vocabulary` the rows of the embedding.

    `weights_hash` is the model's identity: the SHA-256 over name and content of every file that affects the model's
    output, so not only the weights but also the configuration, tokenizer, chat template and generation settings
    (`files` has each). A registered base stores it, and so does the manifest of each adapter trained on it
    (`base.sha256`). Comparing the two detects a template edited after the registration before a run starts.
    """

    architecture: str
    model_type: str
    parameters: int
    layers: int | None
    hidden_size: int | None
    vocabulary: int
    context_length: int | None
    size_bytes: int
    weights_hash: str
    files: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """All facts except the hashes of the individual files."""
        facts = asdict(self)
        del facts["files"]
        return facts


def inspect(folder: Path) -> ModelFolder:
    """Check `folder` and describe it. All files are hashed, so this takes as long as reading them once.

    Raises ModelFolderError for the first error: model_missing, model_unreadable, config_missing, remote_code,
    model_is_adapter, model_quantised, architecture_unknown, architecture_not_allowed, no_safetensors, model_damaged,
    tokenizer_missing, tokenizer_damaged, tokenizer_disagrees or no_chat_template.
    """
    try:
        return _inspect(folder)
    except OSError as error:
        raise ModelFolderError(
            "model_unreadable",
            f"{error.filename or folder} cannot be read ({error.strerror or error}); "
            "let the account that runs this program read it, or copy it again.",
        ) from error


def _inspect(folder: Path) -> ModelFolder:
    if not folder.is_dir():
        raise ModelFolderError(
            "model_missing", f"There is no folder {folder}; give the path of a local model folder."
        )
    config = _config(folder)
    weights = _weights(folder)
    tensors: dict[str, list[int]] = {}
    for file in weights:
        tensors |= _header(file)
    vocabulary = _vocabulary(folder, config, tensors)
    _check_tokenizer(folder, vocabulary)
    _check_template(folder)
    _check_end_tokens(folder, vocabulary)
    files = _hash_files(folder)
    return ModelFolder(
        architecture=config["architectures"][0],
        model_type=str(config.get("model_type", "")),
        parameters=sum(math.prod(shape) for shape in tensors.values()),
        layers=_count(config, "num_hidden_layers"),
        hidden_size=_count(config, "hidden_size"),
        vocabulary=vocabulary,
        context_length=_count(config, "max_position_embeddings"),
        size_bytes=sum(file.stat().st_size for file in weights),
        weights_hash=hashlib.sha256(
            "\n".join(f"{name} {digest}" for name, digest in files.items()).encode()
        ).hexdigest(),
        files=files,
    )


def _read_json(file: Path, code: str = "model_damaged") -> dict[str, Any]:
    if file.stat().st_size > _MAX_JSON_BYTES:
        raise ModelFolderError(code, f"{file} is larger than any such file should be; copy it again.")
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ModelFolderError(code, f"{file} is not readable JSON ({error}); copy it again.") from error
    if not isinstance(content, dict):
        raise ModelFolderError(code, f"{file} must hold a JSON object; copy it again.")
    return content


def _read_optional(file: Path) -> dict[str, Any]:
    return _read_json(file) if file.is_file() else {}


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _count(config: dict[str, Any], key: str) -> int | None:
    value = config.get(key)
    return value if _is_count(value) else None


def _config(folder: Path) -> dict[str, Any]:
    file = folder / "config.json"
    if not file.is_file():
        raise ModelFolderError(
            "config_missing", f"{folder} has no config.json, so it is not a saved model; copy it there."
        )
    config = _read_json(file)
    for name, settings in {
        "config.json": config,
        "tokenizer_config.json": _read_optional(folder / "tokenizer_config.json"),
    }.items():
        if "auto_map" in settings or settings.get("trust_remote_code"):
            raise ModelFolderError(
                "remote_code",
                f"{folder / name} asks for code of its own (auto_map), which is never run; "
                "choose an architecture that transformers has built in.",
            )
    if (folder / "adapter_config.json").exists():
        raise ModelFolderError(
            "model_is_adapter",
            f"{folder} holds an adapter (adapter_config.json), which would load another model than this one; "
            "merge it into its base, or move the adapter's files elsewhere.",
        )
    if "quantization_config" in config:
        raise ModelFolderError(
            "model_quantised",
            f"{folder} is quantised already (quantization_config in config.json); "
            "give the 16-bit original, it is quantised on loading.",
        )
    _check_architecture(file, config)
    return config


def _check_architecture(file: Path, config: dict[str, Any]) -> None:
    named = config.get("architectures")
    if not isinstance(named, list) or not named or not isinstance(named[0], str):
        raise ModelFolderError(
            "architecture_unknown", f"{file} names no architecture; save the model again with transformers."
        )
    if not named[0].endswith("ForCausalLM"):
        raise ModelFolderError(
            "architecture_unknown",
            f"{file} names {named[0]}, which is no text-generating model; choose a ...ForCausalLM.",
        )
    if named[0] not in ARCHITECTURES:
        raise ModelFolderError(
            "architecture_not_allowed",
            f"{file} names {named[0]}, which this site does not train; choose one of "
            f"{', '.join(sorted(ARCHITECTURES))}.",
        )


def _weights(folder: Path) -> list[Path]:
    """The files that are loaded: model.safetensors, or the shards of the index."""
    whole = folder / "model.safetensors"
    shards = _shards(folder)
    if whole.is_file():
        return [whole]
    if shards:
        return shards
    pickled = any(file.suffix in _PICKLES for file in folder.iterdir())
    reason = "only pickled weights, which can run code" if pickled else "no model.safetensors"
    raise ModelFolderError(
        "no_safetensors", f"{folder} holds {reason}; save the model with save_pretrained of transformers."
    )


def _shards(folder: Path) -> list[Path]:
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return []
    listed = _read_json(index).get("weight_map")
    names = set(listed.values()) if isinstance(listed, dict) and _all_strings(listed) else set()
    # Only names in the folder itself: files elsewhere would be loaded without being part of the identity.
    if not names or any(Path(name).name != name or not name.endswith(".safetensors") for name in names):
        raise ModelFolderError(
            "model_damaged", f"{index} does not list the safetensors files of its folder; copy it again."
        )
    missing = sorted(name for name in names if not (folder / name).is_file())
    if missing:
        raise ModelFolderError("model_damaged", f"{folder} lacks {', '.join(missing)}; copy the files again.")
    return [folder / name for name in sorted(names)]


def _all_strings(mapping: dict[str, Any]) -> bool:
    return all(isinstance(value, str) for value in mapping.values())


def _header(file: Path) -> dict[str, list[int]]:
    """Shape of each tensor by name (format: little-endian u64 length, a JSON header, then the data)."""
    size = file.stat().st_size
    with file.open("rb") as raw:
        length = int.from_bytes(raw.read(8), "little")
        if not 2 <= length <= min(_MAX_HEADER_BYTES, size):
            raise ModelFolderError(
                "model_damaged", f"{file} is no safetensors file or was cut short; copy it again."
            )
        content = raw.read(length)
    try:
        header = json.loads(content)
        header.pop("__metadata__", None)
        end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
        shapes = {name: list(entry["shape"]) for name, entry in header.items()}
        if not all(_is_count(number) for number in (end, *chain.from_iterable(shapes.values()))):
            raise ValueError("a size or an end that is no number")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise ModelFolderError(
            "model_damaged", f"The header of {file} is not readable ({error}); copy it again."
        ) from error
    if size != 8 + length + end:
        raise ModelFolderError(
            "model_damaged", f"{file} was cut short or has bytes that do not belong to it; copy it again."
        )
    return shapes


def _vocabulary(folder: Path, config: dict[str, Any], tensors: dict[str, list[int]]) -> int:
    rows = next(
        (shape[0] for name, shape in tensors.items() if name.endswith(_EMBEDDINGS) and len(shape) == 2), None
    )
    declared = _count(config, "vocab_size")
    if declared is None and rows is None:
        raise ModelFolderError(
            "model_damaged",
            f"{folder / 'config.json'} does not say how many tokens the model knows; add its vocab_size.",
        )
    if rows is not None and declared is not None and rows < declared:
        raise ModelFolderError(
            "model_damaged",
            f"{folder / 'config.json'} declares {declared:,} tokens but the embedding has {rows:,} rows; "
            "copy the configuration that belongs to these weights.",
        )
    return rows if rows is not None else declared or 0


def _check_tokenizer(folder: Path, vocabulary: int) -> None:
    file = folder / "tokenizer.json"
    if not file.is_file():
        raise ModelFolderError(
            "tokenizer_missing",
            f"{folder} has no tokenizer.json; load its tokenizer with transformers and save it there.",
        )
    highest = _highest_token(_read_json(file, "tokenizer_damaged"))
    if highest < 0:
        raise ModelFolderError("tokenizer_damaged", f"{file} has no vocabulary; copy it again.")
    if highest >= vocabulary:
        raise ModelFolderError(
            "tokenizer_disagrees",
            f"{file} uses token {highest:,} but the model knows only {vocabulary:,}; "
            "use the tokenizer that belongs to these weights.",
        )


def _highest_token(tokenizer: dict[str, Any]) -> int:
    """The highest id in use, or -1 if there is no vocabulary (a mapping, or for Unigram a list)."""
    model, added = tokenizer.get("model"), tokenizer.get("added_tokens")
    known = model.get("vocab") if isinstance(model, dict) else None
    if not known or not isinstance(known, dict | list):
        return -1
    ids: list[Any] = list(known.values()) if isinstance(known, dict) else [len(known) - 1]
    ids += [token.get("id") for token in added or [] if isinstance(token, dict)]
    return max((number for number in ids if _is_count(number)), default=-1)


def _check_template(folder: Path) -> None:
    """Require a template for plain conversations: a file, or an entry in the tokenizer's settings."""
    file = folder / "chat_template.jinja"
    template = _read_optional(folder / "tokenizer_config.json").get("chat_template")
    if isinstance(template, list):
        template = {entry.get("name"): entry.get("template") for entry in template if isinstance(entry, dict)}
    if isinstance(template, dict):
        template = template.get("default")
    if not (file.stat().st_size if file.is_file() else template):
        raise ModelFolderError(
            "no_chat_template",
            f"The tokenizer in {folder} has no chat template; "
            "use an instruction-tuned model or add its chat_template.jinja.",
        )


def _check_end_tokens(folder: Path, vocabulary: int) -> None:
    file = folder / "generation_config.json"
    named = _read_optional(file).get("eos_token_id")
    ends = named if isinstance(named, list) else [] if named is None else [named]
    if not all(_is_count(token) and token < vocabulary for token in ends):
        raise ModelFolderError(
            "tokenizer_disagrees",
            f"{file} ends answers with {named}, which is not among the model's {vocabulary:,} tokens; "
            "use the generation settings that belong to these weights.",
        )


def _hash_files(folder: Path) -> dict[str, str]:
    """SHA-256 by file name, sorted by name."""
    names = {file.name for pattern in IDENTITY_FILES for file in folder.glob(pattern) if file.is_file()}
    hashes = {}
    for name in sorted(names):
        with (folder / name).open("rb") as raw:
            hashes[name] = hashlib.file_digest(raw, "sha256").hexdigest()
    return hashes
