"""Base models: what is checked before anything runs, and how one is loaded.

A base is a local folder or `organisation/name@commit` (40 hex digits, so that a name always means the same
weights). Only safetensors are read and no code from the folder is ever executed.
"""

import hashlib
import json
import math
import os
import re
from pathlib import Path
from typing import Any

from worker.artefacts import file_sha256
from worker.ml.chat import render_prompt, template_hash
from worker.ml.errors import MlError

_PINNED = re.compile(r"(?P<name>[\w.-]+/[\w.-]+)@(?P<commit>[0-9a-f]{40})")
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
_IDENTITY = ("*.json", "*.safetensors", "*.jinja", "*.txt", "*.model")
_EMBEDDINGS = ("embed_tokens.weight", "wte.weight", "embed_in.weight", "word_embeddings.weight")


def resolve_base(base_model: str) -> Path:
    """The folder of a base model, downloaded if it is a pinned name; raises MlError("base_missing")."""
    folder = Path(base_model)
    if folder.is_dir():
        return folder
    pinned = _PINNED.fullmatch(base_model)
    if not pinned:
        raise MlError(
            "base_missing",
            f"{base_model} is neither an existing folder nor organisation/name@commit with a 40-digit "
            f"commit; "
            "correct the path or pin the revision.",
        )
    from huggingface_hub import snapshot_download

    try:
        return Path(
            snapshot_download(pinned["name"], revision=pinned["commit"], allow_patterns=list(_IDENTITY))
        )
    except Exception as error:
        raise MlError(
            "base_missing",
            f"{base_model} could not be downloaded ({type(error).__name__}); check the name, the commit and "
            f"the "
            "network, or give a local folder.",
        ) from error


def inspect_base(path: Path) -> dict[str, Any]:
    """Check a base model's folder and describe it, reading no weights (their files are hashed).

    Returns architecture, parameters (count), hidden_size, layers, vocab (embedding rows), context (tokens),
    template_hash, files (name to SHA-256) and sha256, the base's identity. Raises MlError with a code that
    starts with `base_` or `tokenizer_`.
    """
    config = _read_config(path)
    shapes = _tensor_shapes(path)
    rows = next(
        (shape[0] for name, shape in shapes.items() if name.endswith(_EMBEDDINGS)), config["vocab_size"]
    )
    tokenizer = load_tokenizer(path, embedding_rows=rows)
    names = sorted({file.name for pattern in _IDENTITY for file in path.glob(pattern)})
    files = {name: file_sha256(path / name) for name in names}
    return {
        "architecture": config["architectures"][0],
        "parameters": sum(math.prod(shape) for shape in shapes.values()),
        "hidden_size": config.get("hidden_size"),
        "layers": config.get("num_hidden_layers"),
        "vocab": rows,
        "context": config.get("max_position_embeddings"),
        "template_hash": template_hash(tokenizer),
        "files": files,
        "sha256": hashlib.sha256("\n".join(f"{name} {files[name]}" for name in names).encode()).hexdigest(),
    }


def load_tokenizer(path: Path, *, embedding_rows: int) -> Any:
    """The tokenizer, padding on the left as generation needs, with a pad token that ends nothing.

    Raises MlError: tokenizer_missing, tokenizer_disagrees, tokenizer_no_template, tokenizer_no_pad,
    template_failed.
    """
    from transformers import AutoTokenizer

    if not any((path / name).is_file() for name in ("tokenizer.json", "tokenizer.model", "vocab.json")):
        raise MlError(
            "tokenizer_missing", f"{path} has no tokenizer.json; copy the model's tokenizer files there."
        )
    try:
        tokenizer = AutoTokenizer.from_pretrained(path, trust_remote_code=False, padding_side="left")
    except Exception as error:
        raise MlError(
            "tokenizer_missing", f"The tokenizer in {path} does not load ({error}); copy the files again."
        ) from error
    _check_ids(path, tokenizer, embedding_rows)
    if not tokenizer.chat_template:
        raise MlError(
            "tokenizer_no_template",
            f"The tokenizer in {path} has no chat template, so no prompt can be rendered; use an "
            f"instruction-tuned "
            "base or add its chat_template.jinja.",
        )
    render_prompt(tokenizer, "instruction", "input")
    return _with_own_pad(path, tokenizer)


def stop_ids(tokenizer: Any, path: Path) -> set[int]:
    """Tokens that end an answer: the tokenizer's end of sequence and those of the generation config."""
    found = {tokenizer.eos_token_id} - {None}
    file = path / "generation_config.json"
    if file.is_file():
        listed = json.loads(file.read_text(encoding="utf-8")).get("eos_token_id")
        found |= set(listed) if isinstance(listed, list) else {listed} - {None}
    return found


def device_name() -> str:
    """ "cuda" if there is a GPU, else "cpu" with one thread for each core this process may use."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    return "cpu"


def load_base(path: Path, *, quantisation: str, device: str) -> Any:
    """The model's weights on `device`: "nf4" in 4 bit, "none" at 16 bit on a GPU and 32 bit on a CPU.

    The folder must have passed `inspect_base`.
    """
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    nf4 = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )
    model = AutoModelForCausalLM.from_pretrained(
        path,
        dtype=dtype,
        quantization_config=nf4 if quantisation == "nf4" else None,
        device_map={"": device},
        trust_remote_code=False,
        use_safetensors=True,
    )
    keep_trainable_after_evaluation(model)
    return model


def keep_trainable_after_evaluation(model: Any) -> None:
    """Stop bitsandbytes from repacking 4-bit weights on CPUs with AVX512-BF16.

    Its first evaluation without gradients repacks them for inference and never back: later training steps
    then silently get no input gradient, and layers with a bias crash.
    """
    from bitsandbytes.nn import Linear4bit

    for module in model.modules():
        if isinstance(module, Linear4bit):
            module.support_avx512bf16_for_cpu = False


def _read_config(path: Path) -> dict[str, Any]:
    if not path.is_dir():
        raise MlError("base_missing", f"There is no folder at {path}; correct the path.")
    try:
        config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MlError(
            "base_no_config",
            f"{path} has no readable config.json, so it is not a model folder; copy it there.",
        ) from error
    tokenizer_file = path / "tokenizer_config.json"
    tokenizer_config = (
        json.loads(tokenizer_file.read_text(encoding="utf-8")) if tokenizer_file.is_file() else {}
    )
    if "auto_map" in config or "auto_map" in tokenizer_config or config.get("trust_remote_code"):
        raise MlError(
            "base_custom_code",
            f"{path} asks to run its own Python code (auto_map), which is refused; use an architecture that "
            "transformers has built in.",
        )
    if "quantization_config" in config:
        raise MlError(
            "base_quantised",
            f"{path} is quantised already; give the 16-bit original, it is quantised on loading.",
        )
    if not any(str(name).endswith("ForCausalLM") for name in config.get("architectures") or []):
        raise MlError(
            "base_not_causal", f"{path} is not a text-generating model (no ...ForCausalLM in config.json)."
        )
    return dict(config)


def _tensor_shapes(path: Path) -> dict[str, list[int]]:
    """Names and shapes of all tensors, from the headers; a shard that is missing or cut short is an error."""
    files = sorted(path.glob("*.safetensors"))
    if not files:
        pickled = any(any(path.glob(pattern)) for pattern in _PICKLES)
        why = "only pickled weights, which can run code" if pickled else "no weights"
        raise MlError("base_no_safetensors", f"{path} holds {why}; save the model as safetensors.")
    index = path / "model.safetensors.index.json"
    if index.is_file():
        shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        missing = sorted(shards - {file.name for file in files})
        if missing:
            raise MlError("base_weights_damaged", f"{path} lacks {', '.join(missing)}; copy the files again.")
    shapes: dict[str, list[int]] = {}
    for file in files:
        shapes |= _read_header(file)
    return shapes


def _read_header(file: Path) -> dict[str, list[int]]:
    """Tensor shapes of one file: 8 bytes of header length, a JSON header, then the data it describes."""
    size = file.stat().st_size
    try:
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if length > size:
                raise ValueError("header longer than the file")
            header = json.loads(stream.read(length))
        header.pop("__metadata__", None)
        end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
        if 8 + length + end != size:
            raise ValueError("data cut short")
        return {name: entry["shape"] for name, entry in header.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise MlError(
            "base_weights_damaged", f"{file} is not a whole safetensors file ({error}); copy it again."
        ) from error


def _check_ids(path: Path, tokenizer: Any, rows: int) -> None:
    if len(tokenizer) > rows:
        raise MlError(
            "tokenizer_disagrees",
            f"The tokenizer in {path} knows {len(tokenizer)} tokens and the model only {rows}; "
            "use the tokenizer that belongs to these weights.",
        )
    out_of_range = sorted(token for token in tokenizer.all_special_ids if not 0 <= token < rows)
    generation_ids = {token for token in stop_ids(tokenizer, path) if not 0 <= token < rows}
    if out_of_range or generation_ids:
        raise MlError(
            "tokenizer_disagrees",
            f"Special token ids {sorted({*out_of_range, *generation_ids})} of {path} lie outside the model's "
            f"{rows} "
            "tokens; use the tokenizer and generation config that belong to these weights.",
        )
    if tokenizer.eos_token_id is None:
        raise MlError(
            "tokenizer_disagrees", f"The tokenizer in {path} names no end-of-sequence token; add eos_token."
        )


def _with_own_pad(path: Path, tokenizer: Any) -> Any:
    """A pad token that is no end token: an own one, or else another special token that ends nothing."""
    ends = stop_ids(tokenizer, path)
    if tokenizer.pad_token_id is None or tokenizer.pad_token_id in ends:
        spare = [t for t in tokenizer.all_special_tokens if tokenizer.convert_tokens_to_ids(t) not in ends]
        if not spare:
            raise MlError(
                "tokenizer_no_pad",
                f"The tokenizer in {path} pads with its end token and has no other special token; "
                "set pad_token to a token that never ends an answer.",
            )
        tokenizer.pad_token = spare[0]
    return tokenizer
