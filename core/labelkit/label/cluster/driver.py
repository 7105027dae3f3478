"""The process that drives Ray, ``python -m labelkit.label.cluster.driver``: its input is a cluster, and then a job.

Ray runs in a process of its own because it ends the one that it runs in when its cluster dies, writes to its output,
and cannot be interrupted at any moment. This one ends when its input does, that is, with the process that started it.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from queue import Queue
from typing import Any

from labelkit.errors import LabelkitError, one_line
from labelkit.label.arrow_rows import JsonRows
from labelkit.label.batches import BatchLabeller, CheckpointSpec
from labelkit.label.cluster.protocol import Frame, read_frame, write_frame
from labelkit.label.cluster.spool import read_shards
from labelkit.label.cluster.worker import ShardWorker

#: bytes of shared memory of a cluster of this machine alone: shards are small, and few are on their way
_OBJECT_STORE = 256 << 20
#: seconds for a first connection to a cluster
_CONNECT = 10.0
#: times that a worker is started again, and a shard is labelled again, when a process dies
_RETRIES = 3
#: shards that a worker has at once: one is computed, one prepared, one waits
_AT_ONCE = 3
#: seconds in which Ray's processes end, and seconds between two looks
_ENDING, _PAUSE = 20.0, 0.2


def main() -> None:
    """Label the shards of a spool on a cluster, and write the results to standard output."""
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what Ray prints belongs to the log
    asked: Queue[dict[str, Any]] = Queue()
    gone = threading.Event()
    listener = threading.Thread(target=_listen, args=(asked, gone), daemon=True)
    listener.start()
    try:
        for head, body in _frames(asked):
            write_frame(output, head, body)
    except BrokenPipeError:
        gone.set()
    finally:
        if gone.is_set():
            listener.join()  # it removes the folder of the other process, and ends this one
        _shut_down()
        os._exit(0)


def _frames(asked: Queue[dict[str, Any]]) -> Iterator[Frame]:
    """Yield the results of each shard, and the error if there is one."""
    try:
        yield from run(asked.get(), asked.get)
    except LabelkitError as error:
        yield {"error": error.message, "hint": error.hint}, b""
    except Exception as error:  # whatever Ray raises, from every layer of it
        import traceback

        traceback.print_exc()
        cause = getattr(error, "cause", None) or error
        said = f"Ray failed: {type(cause).__name__}: {one_line(cause)}"
        yield {"error": said, "hint": "what is labelled is kept: --resume continues"}, b""


def _listen(asked: Queue[dict[str, Any]], gone: threading.Event) -> None:
    """Pass on what the other process says; when that one is done or gone, end this one and remove its folder."""
    folder = None
    while (frame := read_frame(sys.stdin.buffer)) is not None:
        folder = frame[0].get("folder", folder)
        asked.put(frame[0])
    gone.set()
    _shut_down()
    if folder is not None:
        _remove(Path(folder))
    os._exit(1)


def _remove(folder: Path) -> None:
    """Remove a folder in which workers that end may still write."""
    deadline = time.monotonic() + _ENDING
    while folder.exists() and time.monotonic() < deadline:
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(_PAUSE)


def _shut_down() -> None:
    """End Ray, where it was started."""
    with suppress(Exception):
        ray = sys.modules.get("ray")
        if ray is not None and ray.is_initialized():
            ray.shutdown()


def run(place: dict[str, Any], asked_next: Callable[[], dict[str, Any]]) -> Iterator[Frame]:
    """Connect to the cluster or start one, and yield the facts and results of each shard, in order.

    :param place: the address, and a folder of this machine for what is temporary.
    :param asked_next: returns the job, which may not be known before.
    :raises LabelkitError: the cluster cannot be reached, or has too few cores.
    """
    connect(place["address"], place["folder"])
    import ray.data

    asked = {**place, **asked_next()}

    untyped: Any = ray
    workers, cores, gpus = shares(untyped.cluster_resources(), asked["workers"])
    yield {"workers": workers, "cores": cores}, b""
    spec = CheckpointSpec(**{**asked["spec"], "blocked": tuple(asked["spec"]["blocked"])})
    files = stored_files(spec) if len(untyped.nodes()) > 1 else {}
    found = labelled_shards(asked, BatchLabeller.of_rows(spec, JsonRows()), files, workers, cores, gpus)
    for block in found.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
        for shard, facts, results in zip(block["shard"], block["facts"], block["results"], strict=True):
            yield {"shard": shard.as_py(), **json.loads(facts.as_py())}, b"".join(results.as_py())


def connect(address: str, folder: str) -> None:
    """Start a cluster on this machine's loopback, or connect to the one at ``HOST:PORT``.

    :raises LabelkitError: nothing answers there, or it is no cluster of this version of Ray.
    """
    os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_DATA_DISABLE_PROGRESS_BARS="1")
    os.environ["RAY_ENABLE_AUTO_CONNECT"] = "0"  # else Ray Data starts another cluster when this one is shut down
    if address == "local":
        # workers are no background tasks; the token keeps other users of this machine out; and only where there are
        # no clusters, as Ray thinks of Windows, 127.0.0.1 is not replaced by the address of the machine
        os.environ.update(RAY_worker_niceness="0", RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32))
        os.environ.update(RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0")
        import ray

        ray.init(
            address="local",
            include_dashboard=False,
            log_to_driver=False,
            object_store_memory=_OBJECT_STORE,
            _node_ip_address="127.0.0.1",
            _temp_dir=str(Path(folder) / "ray"),
        )
        return
    if address != "auto":
        _check_reachable(address)
    import ray

    try:
        ray.init(address=address, log_to_driver=False)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise LabelkitError(
            f"no Ray cluster to connect to at {address}: {one_line(error)}",
            hint="on this machine: ray start --address=HOST:PORT joins it to a cluster; --ray local starts one",
        ) from error


def _check_reachable(address: str) -> None:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT).close()
    except OSError as error:
        raise LabelkitError(
            f"the Ray cluster at {address} cannot be reached: {one_line(error)}",
            hint="check the address and that the cluster runs; --ray local starts one on this machine",
        ) from error


def shares(resources: dict[str, float], workers: int | None) -> tuple[int, int, float]:
    """Return the number of workers, and the cores and GPUs of each.

    :param resources: of the cluster, as Ray names them.
    :param workers: None for one on each GPU, or else one on each machine.
    :raises LabelkitError: there are fewer cores than workers.

    >>> shares({"CPU": 16.0, "node:10.0.0.1": 1.0, "node:10.0.0.2": 1.0}, None)
    (2, 8, 0)
    """
    cpus, gpus = int(resources.get("CPU", 0)), resources.get("GPU", 0)
    machines = sum(name.startswith("node:") and name != "node:__internal_head__" for name in resources)
    chosen = workers or int(gpus) or max(1, machines)
    if chosen > cpus:
        raise LabelkitError(f"{chosen} workers need a core each, and the cluster has {cpus}", hint="fewer: --workers N")
    return chosen, cpus // chosen, min(1, gpus / chosen)


def labelled_shards(
    asked: dict[str, Any], labeller: BatchLabeller, files: dict[str, Any], workers: int, cores: int, gpus: float
) -> Any:
    """Return a Ray dataset of the results of all shards, one row each, in order.

    :param files: of the checkpoint, see :class:`labelkit.label.cluster.worker.ShardWorker`.
    """
    import ray.data
    from ray.data import ActorPoolStrategy, DataContext

    context = DataContext.get_current()
    context.execution_options.preserve_order = True
    context.execution_options.verbose_progress = context.enable_progress_bars = False
    context.target_max_block_size = 1  # a row is a block of its own
    context.wait_for_min_actors_s = int(asked["timeout"])
    here = {"ray.io/node-id": ray.get_runtime_context().get_node_id()}
    shards = ray.data.read_datasource(
        _shard_source(asked["folder"], asked["first"]), override_num_blocks=1, num_cpus=0, label_selector=here
    )
    return shards.map_batches(
        ShardWorker,
        fn_constructor_args=(labeller, files),
        batch_size=1,
        batch_format="pyarrow",
        num_cpus=cores,
        num_gpus=gpus or None,
        max_restarts=_RETRIES,
        max_task_retries=_RETRIES,
        compute=ActorPoolStrategy(
            size=workers,
            max_tasks_in_flight_per_actor=_AT_ONCE,
            max_concurrent_calls_per_actor=2,
            enable_true_multi_threading=True,
        ),
    )


def stored_files(spec: CheckpointSpec) -> dict[str, Any]:
    """Put the files of a checkpoint into Ray's object store, from which each machine fetches those that it lacks."""
    import ray

    return {name: ray.put((Path(spec.folder) / name).read_bytes()) for name in spec.files}


def _shard_source(folder: str, first: int) -> Any:
    """Return the source of the shards in a spool, read by one task, on this machine."""
    from ray.data import Datasource, ReadTask
    from ray.data.block import BlockMetadata

    class Shards(Datasource):
        def __init__(self) -> None:
            """One task reads all shards."""
            super().__init__()  # type: ignore[no-untyped-call]

        def get_name(self) -> str:
            return "Shards"

        def estimate_inmemory_data_size(self) -> int | None:
            return None

        def get_read_tasks(self, parallelism: int, *rest: Any, **named: Any) -> list[Any]:
            facts = BlockMetadata(num_rows=None, size_bytes=None, input_files=None, exec_stats=None)
            return [ReadTask(lambda: read_shards(folder, first), facts)]

    return Shards()


if __name__ == "__main__":
    main()
