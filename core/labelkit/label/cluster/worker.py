"""What runs in the workers of a cluster: the batch labeller, over one shard at a time."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from labelkit.errors import LabelkitError

if TYPE_CHECKING:
    import pyarrow as pa

    from labelkit.label.batches import BatchLabeller


class ShardWorker:
    """Labels shards; an actor of Ray Data. An error of labelkit is a result, because it would be one anywhere.

    :param files: name → Ray's reference to the content of a file of the checkpoint; empty where all machines have it.
    """

    def __init__(self, labeller: BatchLabeller, files: Mapping[str, Any]) -> None:
        self._labeller = labeller
        if files:
            self._labeller.fetch = lambda name: _content(files[name])

    def __call__(self, shard: pa.Table) -> pa.Table:
        """Return the results of a shard, each as JSON, with facts of the engine, or the error instead.

        :param shard: one row, as :func:`labelkit.label.cluster.spool.read_shards` yields it.
        """
        import pyarrow as pa

        inputs = pa.table({"input": shard["inputs"].combine_chunks().flatten()})
        facts: dict[str, Any] = {"worker": f"{socket.gethostname()}:{os.getpid()}"}
        results = pa.array([], pa.large_binary())
        try:
            if inputs.num_rows:
                labelled = self._labeller(inputs, large=shard["large"][0].as_py())
                results = labelled["result"].combine_chunks()
                facts |= self._facts()
        except LabelkitError as error:
            facts |= {"error": error.message, "hint": error.hint}
        return pa.table({
            "shard": shard["shard"],
            "facts": pa.array([json.dumps(facts, allow_nan=False)]),
            "results": pa.LargeListArray.from_arrays(pa.array([0, len(results)], pa.int64()), results),
        })  # fmt: skip

    def _facts(self) -> dict[str, Any]:
        labeller = self._labeller.labeller
        engine = labeller.engine
        return {
            "engines": labeller.engines,
            "engine": engine.name,
            "precision": engine.precision,
            "device": engine.device,
            "backoffs": engine.memory.backoffs,
            "notes": labeller.notes,
        }


def _content(file: Any) -> bytes:
    import ray

    found: bytes = ray.get(file)
    return found
