"""Train an exported adapter again, from the files beside this script.

    python reproduce.py --base FOLDER --out NEW_FOLDER [--data FOLDER]

FOLDER of --base is the base model; --data holds train.jsonl and validation.jsonl (dataset/ beside this script unless
told). Both are compared with the recorded hashes first, so that nothing else is trained by mistake. Needs ftplatform
with its `worker` extra on the Python path, in the versions of requirements.txt.
"""

import argparse
import hashlib
import json
import subprocess
import sys
from pathlib import Path

from training import model_folder

HERE = Path(__file__).resolve().parent


def sha256(file: Path) -> str:
    with file.open("rb") as raw:
        return hashlib.file_digest(raw, "sha256").hexdigest()


def check(base: Path, data: Path, recorded: dict[str, str]) -> None:
    """Exit with a sentence unless base and data are those that the adapter was trained from."""
    try:
        digests = {"base": model_folder.inspect(base).weights_hash}
        digests |= {split: sha256(data / f"{split}.jsonl") for split in ("train", "validation")}
    except (model_folder.ModelFolderError, OSError) as error:
        sys.exit(f"{error}")
    wrong = sorted(name for name, digest in digests.items() if digest != recorded[name])
    if wrong:
        sys.exit(f"Not what the adapter was trained from: {', '.join(wrong)}. Nothing was trained.")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=HERE / "dataset")
    given = parser.parse_args()
    recorded = json.loads((HERE / "run.json").read_text(encoding="utf-8"))
    check(given.base, given.data, recorded["sha256"])
    given.out.mkdir(parents=True)
    job = {
        "base_model": str(given.base.resolve()),
        "train_file": str((given.data / "train.jsonl").resolve()),
        "validation_file": str((given.data / "validation.jsonl").resolve()),
        "output_dir": str((given.out / "adapter").resolve()),
        "config": recorded["config"],
        # What a dated chat template printed; None for other templates.
        "date": recorded["facts"].get("rendering", {}).get("date"),
    }
    (given.out / "job.json").write_text(json.dumps(job, indent=2), encoding="utf-8")
    return subprocess.call([sys.executable, "-m", "worker.ml.train", str(given.out / "job.json")])


if __name__ == "__main__":
    sys.exit(main())
