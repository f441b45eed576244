"""Base models: what is checked before anything runs, and how one is loaded.

A base is a local folder or `organisation/name@commit` (40 hex digits, so that a name always means the same
weights). Only safetensors are read and no code from the folder is ever executed. What the folder's files must be
is said in `training.model_folder`; here is what only the loaded tokenizer can tell.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

from training import model_folder
from worker.ml.chat import Rendering, template_hash, use_rendering
from worker.ml.errors import MlError
from worker.ml.processes import local_rank

_PINNED = re.compile(r"(?P<name>[\w.-]+/[\w.-]+)@(?P<commit>[0-9a-f]{40})")


def resolve_base(base_model: str) -> Path:
    """The folder of a base model, downloaded if it is a pinned name; raises MlError("model_missing")."""
    folder = Path(base_model)
    if folder.is_dir():
        return folder
    pinned = _PINNED.fullmatch(base_model)
    if not pinned:
        raise MlError(
            "model_missing",
            f"{base_model} is neither an existing folder nor organisation/name@commit with a 40-digit commit; "
            "correct the path or pin the revision.",
        )
    from huggingface_hub import snapshot_download

    try:
        wanted = list(model_folder.IDENTITY_FILES)
        return Path(snapshot_download(pinned["name"], revision=pinned["commit"], allow_patterns=wanted))
    except Exception as error:
        raise MlError(
            "model_missing",
            f"{base_model} could not be downloaded ({type(error).__name__}); check the name, the commit and the "
            "network, or give a local folder.",
        ) from error


def inspect_base(path: Path, rendering: Rendering | None = None) -> dict[str, Any]:
    """Check a base model's folder and describe it, reading no weights (their files are hashed).

    `rendering` is that of an adapter; None is what the base's template needs.

    Returns architecture, parameters (count), hidden_size, layers, vocab (embedding rows), context (tokens),
    template_hash, files (name to SHA-256) and sha256, the base's identity: the one it is registered with
    (`training.model_folder.ModelFolder.weights_hash`). Raises MlError with a code of `model_folder.inspect` or
    `load_tokenizer`.
    """
    try:
        facts = model_folder.inspect(path)
    except model_folder.ModelFolderError as error:
        raise MlError(error.code, str(error)) from error
    tokenizer = load_tokenizer(path, embedding_rows=facts.vocabulary, rendering=rendering)
    return {
        "architecture": facts.architecture,
        "parameters": facts.parameters,
        "hidden_size": facts.hidden_size,
        "layers": facts.layers,
        "vocab": facts.vocabulary,
        "context": facts.context_length,
        # Part of the identity already; by itself it also changes with our rendering and names the finding.
        "template_hash": template_hash(tokenizer),
        "files": facts.files,
        "sha256": facts.weights_hash,
    }


def load_tokenizer(path: Path, *, embedding_rows: int, rendering: Rendering | None = None) -> Any:
    """The tokenizer, padding on the left as generation needs, with a pad token that ends nothing. It renders as
    `rendering` says; None is what its template needs.

    The folder must have passed `model_folder.inspect`. Raises MlError: tokenizer_damaged, tokenizer_disagrees,
    tokenizer_no_end, tokenizer_no_pad, template_failed, template_drops_text.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(path, trust_remote_code=False, padding_side="left")
    except Exception as error:
        raise MlError(
            "tokenizer_damaged", f"The tokenizer in {path} does not load ({error}); copy its files again."
        ) from error
    _check_ids(path, tokenizer, embedding_rows)
    use_rendering(tokenizer, rendering)
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
    """This process's GPU if there is one, else "cpu" with its share of the cores that it may use.

    Raises MlError("too_few_devices").
    """
    import torch

    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if torch.cuda.is_available():
        if processes > torch.cuda.device_count():
            raise MlError(
                "too_few_devices",
                f"The run asks for {processes} GPUs and this machine has {torch.cuda.device_count()}; lower devices.",
            )
        torch.cuda.set_device(local_rank())
        return f"cuda:{local_rank()}" if processes > 1 else "cuda"
    torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) // processes))
    return "cpu"


def load_base(path: Path, *, quantisation: str, device: str) -> Any:
    """The model's weights on `device`: "nf4" in 4 bit, "none" at 16 bit on a GPU and 32 bit on a CPU.

    The folder must have passed `inspect_base`.
    """
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    dtype = torch.float32 if device == "cpu" else torch.bfloat16
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


def _check_ids(path: Path, tokenizer: Any, rows: int) -> None:
    """The ids that count once it is loaded: its settings may add tokens that tokenizer.json does not have."""
    highest = max(tokenizer.get_vocab().values())
    if highest >= rows:
        raise MlError(
            "tokenizer_disagrees",
            f"The tokenizer in {path} uses token {highest:,} but the model knows only {rows:,}; "
            "use the tokenizer that belongs to these weights.",
        )
    if tokenizer.eos_token_id is None:
        raise MlError(
            "tokenizer_no_end",
            f"The tokenizer in {path} names no end-of-sequence token; add eos_token to tokenizer_config.json.",
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
                "set pad_token in tokenizer_config.json to a token that never ends an answer.",
            )
        tokenizer.pad_token = spare[0]
    return tokenizer
