"""Ask a base model's chat template what it supports, in a process of its own: the template is foreign code."""

import importlib.util
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from ftplatform.errors import DomainError
from training.model_folder import ModelFolder

# One conversation may take five seconds, and loading the libraries as many; a busy machine needs a multiple.
_SECONDS = 180.0
_ROOT = Path(__file__).resolve().parents[3]
# Models with the same tokenizer and template share the result.
_known: dict[tuple[str, ...], dict[str, Any]] = {}


def supported(folder: Path, facts: ModelFolder) -> dict[str, Any]:
    """What `worker.ml.probe` says of the template in a folder; empty where the machine-learning packages are not
    installed, and workers find it out.

    Raises DomainError with the code of a template that cannot be used.
    """
    if importlib.util.find_spec("transformers") is None:
        return {}
    key = tuple(digest for name, digest in sorted(facts.files.items()) if not name.endswith(".safetensors"))
    if key not in _known:
        _known[key] = _probe(folder, facts.vocabulary)
    return _known[key]


def _probe(folder: Path, vocabulary: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as scratch:
        job = Path(scratch) / "job.json"
        job.write_text(json.dumps({"folder": str(folder), "vocabulary": vocabulary}), encoding="utf-8")
        command = [sys.executable, "-m", "worker.ml.probe", str(job)]
        try:
            done = subprocess.run(
                command, cwd=_ROOT, capture_output=True, text=True, timeout=_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise _stopped() from None
    events = [json.loads(line) for line in done.stdout.splitlines()]
    last = events[-1] if events else {}
    if last.get("event") == "error":
        raise DomainError(last["code"], last["message"], status=422)
    if last.get("event") != "done":
        raise _stopped()
    result: dict[str, Any] = last["result"]
    return result


def _stopped() -> DomainError:
    return DomainError(
        "template_too_slow",
        "The chat template did not render a short conversation in time. Choose another base model, or mend the "
        "template.",
        status=422,
    )
