"""``labelkit.load``: the labeller of a run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from labelkit.config.environment import Environment
from labelkit.plugins.catalog import Catalog
from labelkit.registry import Home

if TYPE_CHECKING:
    from labelkit.label.labeller import Labeller


def load(
    reference: str | Path,
    *,
    home: str | Path | None = None,
    decoder: str | None = None,
    engine: str = "auto",
    device: Literal["auto", "cpu", "cuda"] = "auto",
    precision: Literal["auto", "fp32", "bf16"] = "fp32",
) -> Labeller:
    """Return the labeller of a run: ``labelkit.load("latest").label("Some text.")``.

    :param reference: an id, the unique beginning of one, a name, an alias, ``latest``, ``TASK@best``, or a checkpoint
        folder: a ``Path`` such as ``result.checkpoint``, or a string with a separator.
    :param home: the folder of runs and registry; default as for the command.
    :param decoder: how scores become labels; None: the decoder of the run.
    :param engine: ``"torch"``, ``"onnx"``, ``"onnx-int8"``, ``"openvino"``, ``"openvino-int8"`` (see ``labelkit
        onnx``), or ``"auto"``: torch, and OpenVINO or ONNX Runtime for many records where one is installed.
    :param device: ``"cpu"``, ``"cuda"``, or ``"auto"`` for a GPU where there is one.
    :param precision: ``"fp32"``; ``"bf16"``, faster where the hardware computes it natively, with another label now
        and then; or ``"auto"`` for the one that the hardware is good at.
    :raises LabelkitError: there is no such run, decoder, engine or device, or its checkpoint is gone or damaged.
    """
    from labelkit.label.labeller import Labeller

    environment = Environment.read()
    catalog = Catalog.load(only=environment.plugins)
    place = Home.find(os.environ, explicit=home)
    if isinstance(reference, os.PathLike):
        text = os.fspath(reference)
        reference = text if os.sep in text else os.path.join(os.curdir, text)
    return Labeller.open(reference, place, catalog, precision=precision, decoder=decoder, engine=engine, device=device)
