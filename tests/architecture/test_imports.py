"""GPU libraries are loaded only by the worker's child processes, not by the worker itself or by web processes."""

import subprocess
import sys

from tests.services import ROOT

GPU_LIBRARIES = ("torch", "transformers", "peft", "trl", "bitsandbytes", "accelerate", "datasets")

# Imports every module of the web side with the GPU libraries blocked.
LOAD_THE_WEB = f"""
import importlib, pkgutil, sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {GPU_LIBRARIES!r}:
            raise ModuleNotFoundError(f"{{name}} is not there, as on a web-only install", name=name)

sys.meta_path.insert(0, Missing())
import django
django.setup()
from ftplatform.wsgi import application
from django.urls import get_resolver
get_resolver().url_patterns
loaded = 0
for package in ("ftplatform", "training", "evaluation"):
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, package + "."):
        importlib.import_module(module.name)
        loaded += 1
print(loaded)
"""

LOAD_THE_TASKS = f"""
import sys
import django
django.setup()
import worker.tasks
print([name for name in {GPU_LIBRARIES!r} if name in sys.modules])
"""


def _python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_whole_web_side_loads_without_the_gpu_libraries():
    assert int(_python(LOAD_THE_WEB)) > 40


def test_the_block_blocks():
    """Control: with imports blocked, the training code of the worker cannot load."""
    code = LOAD_THE_WEB.replace("loaded = 0", "import torch")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert "as on a web-only install" in done.stderr


def test_the_tasks_load_no_gpu_library():
    assert _python(LOAD_THE_TASKS) == "[]"
