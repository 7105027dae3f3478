"""Log runs to event files of TensorBoard: every score as a scalar, by step."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import labelkit
from labelkit import events
from labelkit_trackers.figures import figures_of

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

requires_labelkit = ">=0.1"
hook_api = 2


@dataclass(frozen=True)
class TensorboardSettings:
    """Where runs are logged."""

    folder: Annotated[Path | None, labelkit.Doc("folder for event files of TensorBoard; None: no log")] = None


#: run of labelkit → its event file, while it is under way
WRITERS: dict[str, SummaryWriter] = {}


@labelkit.hookimpl
def labelkit_settings() -> list[labelkit.Settings]:
    """Yield the settings ``tensorboard.…``."""
    return [labelkit.Settings(name="tensorboard", fields=TensorboardSettings, summary="where runs are logged")]


@labelkit.hookimpl
def labelkit_event(event: events.Event, ctx: labelkit.RunContext) -> None:
    """Log the scores of a run; other events pass, and made-up ones."""
    folder = ctx.settings_of(TensorboardSettings).folder
    if ctx.trial or folder is None:
        return
    if isinstance(event, events.RunStarted):
        from torch.utils.tensorboard import SummaryWriter

        WRITERS[event.run] = SummaryWriter(log_dir=str(folder / event.run))
    elif isinstance(event, events.Scored):
        for name, value in figures_of(event):
            WRITERS[event.run].add_scalar(name, value, event.step)
        WRITERS[event.run].flush()
    elif isinstance(event, events.RunEnded):
        WRITERS.pop(event.run).close()
