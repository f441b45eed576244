"""What a base model's folder must be, read from its headers alone: no weights and no GPU library are loaded.

The web checks a folder with this before it is registered, the worker again before a run starts. Standard library
only, so that both sides can share it.
"""

import hashlib
import json
import struct
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_PICKLES = {".bin", ".pt", ".pth", ".pkl", ".ckpt"}
_MAX_HEADER_BYTES = 100 * 2**20
_MAX_JSON_BYTES = 100 * 2**20


class ModelFolderError(Exception):
    """The folder cannot be used; `code` is stable, the message says what is wrong and how to mend it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class ModelFolder:
    """Facts about a base model: `parameters` counts weights, `vocabulary` the rows of the embedding."""

    architecture: str
    model_type: str
    parameters: int
    layers: int | None
    hidden_size: int | None
    vocabulary: int
    context_length: int | None
    size_bytes: int
    weights_hash: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def inspect(folder: Path) -> ModelFolder:
    """Check `folder` and describe it. Raises ModelFolderError with the first thing that is wrong."""
    if not folder.is_dir():
        raise ModelFolderError(
            "model_missing", f"There is no folder {folder}; give the path of a local model folder."
        )
    config = _config(folder)
    weights = _weights(folder)
    tensors = {name: shape for file in weights for name, shape in _header(file)}
    vocabulary = _vocabulary(config, tensors)
    _check_tokenizer(folder, vocabulary)
    return ModelFolder(
        architecture=config["architectures"][0],
        model_type=str(config.get("model_type", "")),
        parameters=sum(_product(shape) for shape in tensors.values()),
        layers=config.get("num_hidden_layers"),
        hidden_size=config.get("hidden_size"),
        vocabulary=vocabulary,
        context_length=config.get("max_position_embeddings"),
        size_bytes=sum(file.stat().st_size for file in weights),
        weights_hash=_hash(weights),
    )


def _read_json(file: Path) -> dict[str, Any]:
    try:
        if file.stat().st_size > _MAX_JSON_BYTES:
            raise ModelFolderError("model_damaged", f"{file.name} is larger than any such file should be.")
        content = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError, OSError) as error:
        raise ModelFolderError("model_damaged", f"{file.name} is not readable JSON ({error}).") from error
    if not isinstance(content, dict):
        raise ModelFolderError("model_damaged", f"{file.name} must hold a JSON object.")
    return content


def _config(folder: Path) -> dict[str, Any]:
    if not (folder / "config.json").is_file():
        raise ModelFolderError("config_missing", f"{folder} has no config.json; it is not a saved model.")
    config = _read_json(folder / "config.json")
    for file in ("config.json", "tokenizer_config.json"):
        if (folder / file).is_file() and "auto_map" in _read_json(folder / file):
            raise ModelFolderError(
                "remote_code", f"{file} asks for code of its own (auto_map); such models are never loaded."
            )
    architectures = config.get("architectures")
    if not isinstance(architectures, list) or not architectures or not isinstance(architectures[0], str):
        raise ModelFolderError("architecture_unknown", "config.json names no architecture.")
    if not architectures[0].endswith("ForCausalLM"):
        raise ModelFolderError("architecture_unknown", f"{architectures[0]} is not a causal language model.")
    return config


def _weights(folder: Path) -> list[Path]:
    found = sorted(folder.glob("*.safetensors"))
    if not found:
        pickled = any(file.suffix in _PICKLES for file in folder.iterdir())
        reason = "only pickled weights, which can run code" if pickled else "no weights"
        raise ModelFolderError(
            "no_safetensors", f"{folder} holds {reason}; save the model with safe_serialization=True."
        )
    return found


def _header(file: Path) -> Iterator[tuple[str, list[int]]]:
    """Name and shape of each tensor (format: little-endian u64 length, then a JSON header)."""
    with file.open("rb") as raw:
        prefix = raw.read(8)
        length = struct.unpack("<Q", prefix)[0] if len(prefix) == 8 else 0
        if not 2 <= length <= min(_MAX_HEADER_BYTES, file.stat().st_size):
            raise ModelFolderError(
                "model_damaged", f"{file.name} is not a safetensors file or was cut short."
            )
        try:
            header = json.loads(raw.read(length))
            tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}
            end = max((entry["data_offsets"][1] for entry in tensors.values()), default=0)
            shapes = [(name, list(entry["shape"])) for name, entry in tensors.items()]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ModelFolderError("model_damaged", f"The header of {file.name} is not readable.") from error
    if file.stat().st_size != 8 + length + end:
        raise ModelFolderError(
            "model_damaged", f"{file.name} was cut short or has bytes that do not belong to it."
        )
    yield from shapes


def _product(shape: list[int]) -> int:
    total = 1
    for size in shape:
        total *= size
    return total


def _vocabulary(config: dict[str, Any], tensors: dict[str, list[int]]) -> int:
    rows = [
        shape[0]
        for name, shape in tensors.items()
        if name.endswith("embed_tokens.weight") and len(shape) == 2
    ]
    declared = config.get("vocab_size")
    if rows and isinstance(declared, int) and rows[0] < declared:
        raise ModelFolderError(
            "model_damaged",
            f"config.json declares {declared:,} tokens but the embedding has {rows[0]:,} rows.",
        )
    if rows:
        return rows[0]
    if isinstance(declared, int):
        return declared
    raise ModelFolderError("model_damaged", "config.json does not say how many tokens the model knows.")


def _check_tokenizer(folder: Path, vocabulary: int) -> None:
    file = folder / "tokenizer.json"
    if not file.is_file():
        raise ModelFolderError(
            "tokenizer_missing", f"{folder} has no tokenizer.json; save the tokenizer beside the model."
        )
    tokenizer = _read_json(file)
    known = (tokenizer.get("model") or {}).get("vocab") or {}
    ids = list(known.values()) if isinstance(known, dict) else list(range(len(known)))
    ids += [
        token["id"]
        for token in tokenizer.get("added_tokens") or []
        if isinstance(token, dict) and "id" in token
    ]
    highest = max((number for number in ids if isinstance(number, int)), default=-1)
    if highest < 0:
        raise ModelFolderError("tokenizer_damaged", "tokenizer.json has no vocabulary.")
    if highest >= vocabulary:
        raise ModelFolderError(
            "tokenizer_disagrees",
            f"The tokenizer uses token {highest:,} but the model knows only {vocabulary:,}; "
            "they do not belong together.",
        )
    settings = (
        _read_json(folder / "tokenizer_config.json") if (folder / "tokenizer_config.json").is_file() else {}
    )
    if not settings.get("chat_template") and not (folder / "chat_template.jinja").is_file():
        raise ModelFolderError(
            "no_chat_template",
            "The tokenizer has no chat template; use an instruct model or add one to its folder.",
        )


def _hash(files: list[Path]) -> str:
    """SHA-256 over names and contents of the weight files."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0")
        with file.open("rb") as raw:
            digest.update(hashlib.file_digest(raw, "sha256").digest())
    return digest.hexdigest()
