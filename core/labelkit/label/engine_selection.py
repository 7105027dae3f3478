"""Select the engine of a labeller: the one that was loaded, and for large inputs a faster ONNX engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from labelkit.errors import LabelkitError

if TYPE_CHECKING:
    from labelkit.inference.engine import Engine, WordScores
    from labelkit.inference.onnx.export import OnnxModel


class EngineSelector:
    """The engines of a checkpoint.

    :param engine: the loaded engine.
    :param folder: the checkpoint.
    :param cache: folder of ONNX models; None: the loaded engine computes everything.
    :param kept: the ONNX model beside the checkpoint, where the loaded engine computes with it.
    :ivar current: the engine that computed the last scores, or will compute the first ones.
    :ivar notes: failures of the faster engine, one line each.
    """

    def __init__(self, engine: Engine, folder: Path, cache: Path | None, kept: OnnxModel | None = None) -> None:
        self.loaded = self.current = engine
        self.notes: list[str] = []
        self._folder, self._cache, self._kept = folder, cache, kept
        self._faster: Engine | None = None

    @property
    def description(self) -> str:
        """The names of the engines in the order of their use, and the device."""
        runtime = self._faster_runtime()
        then = "" if runtime is None else f", then {runtime}-{self.loaded.precision}"
        return f"{self.loaded.name}{then} on {self.loaded.device}"

    def compute(self, score: Callable[[Engine], WordScores], *, large: bool) -> WordScores:
        """Call ``score`` with the engine to use; with the loaded one if the faster one fails.

        It may be called from as many threads at once as the engine has streams, once that is loaded.

        :param large: the input is so large that the faster engine is worth its loading time.
        :raises LabelkitError: if the loaded engine fails.
        """
        from labelkit.inference.onnx.engine import OnnxError

        engine = self.current = self.faster() if large else self.loaded
        try:
            return score(engine)
        except OnnxError as error:
            if engine is self.loaded:
                raise
            if self._faster is not None:  # else another thread found it before
                self._disable_faster(error)
            self.current = self.loaded
            return score(self.loaded)

    def faster(self) -> Engine:
        """Return the fastest engine for large inputs, loaded once; the loaded engine if none is faster."""
        from labelkit.inference.onnx.engine import load_onnx_engine, with_onnx_model

        runtime = self._faster_runtime() if self._faster is None else None
        if runtime is not None and self._cache is not None:
            try:
                if self._kept is not None:
                    self._faster = with_onnx_model(self.loaded, self._kept, runtime)
                else:
                    self._faster = load_onnx_engine(self.loaded, self._folder, runtime, self._cache)
            except LabelkitError as error:
                self._disable_faster(error)
        return self._faster or self.loaded

    def _faster_runtime(self) -> str | None:
        from labelkit.inference.onnx.engine import faster_runtime

        if self._cache is None:
            return None
        return faster_runtime(self.loaded, self._cache, kept=self._kept is not None)

    def _disable_faster(self, error: LabelkitError) -> None:
        self.notes.append(f"{self.loaded.name} alone: {error.message}")
        self._cache = self._faster = None
