"""``labelkit.load``: the labeller of a run."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from labelkit.config.environment import Environment
from labelkit.plugins.catalog import Catalog
from labelkit.registry import Home

if TYPE_CHECKING:
    from labelkit.label.labeller import Labeller


def load(
    reference: str | os.PathLike[str],
    *,
    home: str | Path | None = None,
    decoder: str | None = None,
    engine: str = "auto",
    device: Literal["auto", "cpu", "cuda"] = "auto",
    precision: Literal["auto", "fp32", "bf16"] = "fp32",
    splitter: str | None = None,
    scheme: str | None = None,
    verify: bool = False,
    task: str | None = None,
    operating_point: str | None = None,
) -> Labeller:
    """Return the labeller of a run or of another model: ``labelkit.load("latest").label("Some text.")``.

    :param reference: an id, the unique beginning of one, a name, an alias, ``latest``, ``TASK@best``; a folder: a
        ``Path`` such as ``result.checkpoint``, or a string with a separator; or ``hub:org/name[@REVISION]``. A model
        that labelkit did not train is adopted, and what is assumed of it is warned of.
    :param home: the folder of runs and registry; default as for the command.
    :param decoder: how scores become labels; None: the decoder of the run.
    :param engine: ``"torch"``, ``"onnx"``, ``"onnx-int8"``, ``"openvino"``, ``"openvino-int8"`` (see ``labelkit
        export``), or ``"auto"``: the ONNX model beside the checkpoint, without torch, where there is one, else torch;
        and OpenVINO or ONNX Runtime for many records where one is installed.
    :param device: ``"cpu"``, ``"cuda"``, or ``"auto"`` for a GPU where there is one.
    :param precision: ``"fp32"``; ``"bf16"``, faster where the hardware computes it natively, with another label now
        and then; or ``"auto"`` for the one that the hardware is good at.
    :param splitter: how raw text is split into words; None: the splitter of the run.
    :param scheme: the tagging scheme of the labels of a model that labelkit did not train; None: by their names.
    :param verify: compute the checksums of the checkpoint's files again; otherwise those of files that have not changed
        since they were last computed are remembered.
    :param task: of a run of several tasks the one to label with; None: all of them, whose labels are in the ``layers``
        of each record.
    :param operating_point: ``"precision=0.95"``, ``"recall=0.9"``, or for one type ``"PER:precision=0.95"``, several
        with commas: leave out labels scored below the threshold of their type, the one that reaches the target on
        validation with the best other figure. Targets that are not reached are warned of.
    :raises LabelkitError: there is no such run, decoder, engine or device, its checkpoint is gone or damaged, or it
        has no precision-recall curve of validation.
    """
    from labelkit.label.labeller import Labeller

    environment = Environment.read()
    catalog = Catalog.load(only=environment.plugins)
    place = Home.find(os.environ, explicit=home)
    options: dict[str, Any] = {
        "precision": precision,
        "decoder": decoder,
        "engine": engine,
        "device": device,
        "splitter": splitter,
        "scheme": scheme,
        "verify": verify,
        "task": task,
        "operating_point": operating_point,
    }
    labeller = Labeller.open(reference, place, catalog, all_tasks=True, **options)
    for text in (*(f"assumed: {one}" for one in labeller.assumptions), *labeller.notes):
        warnings.warn(text, stacklevel=2)
    return labeller
