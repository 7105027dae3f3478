"""Writes the events of a run into the registry, so that training only says what happens."""

from __future__ import annotations

from labelkit.events import CheckpointRemoved, CheckpointSaved, Event, Noted, RunEnded, Scored
from labelkit.registry.store import Registry


class RegistryObserver:
    """Call it with each event of a run that :meth:`Registry.start_run` recorded."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def __call__(self, event: Event) -> None:
        """Record ``event``.

        Scores with ``best`` set, and those of any split other than validation, are the chosen checkpoint's.

        :raises RegistryError: the registry refused it.
        :raises StorageError: the disk did.
        """
        match event:
            case Scored():
                self._scored(event)
            case CheckpointSaved():
                self._registry.record_checkpoint(
                    event.run,
                    event.path,
                    step=event.step,
                    epoch=event.epoch,
                    best=event.best,
                    files=event.files,
                )
            case CheckpointRemoved():
                self._registry.checkpoint_removed(event.path)
            case Noted():
                self._registry.note(event.run, event.text)
            case RunEnded():
                self._registry.finish(
                    event.run, event.status, seconds=event.seconds, error=event.error, hint=event.hint
                )

    def _scored(self, event: Scored) -> None:
        self._registry.record_metrics(
            event.run,
            task=event.task,
            split=event.split,
            metrics=event.metrics,
            step=event.step,
            epoch=event.epoch,
            chosen=event.best or event.split != "validation",
            train_loss=event.train_loss,
        )
