"""Records the events of a run, so that training code only emits events."""

from __future__ import annotations

from labelkit.events import CheckpointRemoved, CheckpointSaved, Event, Noted, RunEnded, Scored
from labelkit.registry.registry import Registry


class RegistryObserver:
    """Call it with each event of a run that :meth:`Recorder.start` recorded."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def __call__(self, event: Event) -> None:
        """Record ``event``.

        The best checkpoint's metrics are those with ``best`` set, and those of any split other than validation.

        :raises RegistryError: the registry refused it.
        :raises StorageError: the disk is full, or permission is denied.
        """
        recorder = self._registry.recorder
        match event:
            case Scored():
                recorder.log_metrics(
                    event.run,
                    task=event.task,
                    split=event.split,
                    metrics=event.metrics,
                    step=event.step,
                    epoch=event.epoch,
                    chosen=event.best or event.split != "validation",
                    train_loss=event.train_loss,
                )
            case CheckpointSaved():
                recorder.log_checkpoint(
                    event.run, event.path, step=event.step, epoch=event.epoch, best=event.best, files=event.files
                )
            case CheckpointRemoved():
                recorder.log_checkpoint_deletion(event.path)
            case Noted():
                self._registry.annotations.add_note(event.run, event.text)
            case RunEnded():
                recorder.finish(event.run, event.status, seconds=event.seconds, error=event.error, hint=event.hint)
