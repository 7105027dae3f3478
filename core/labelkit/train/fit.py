"""Training, selection on validation, and the one look at test."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import labelkit
from labelkit.errors import LabelkitError
from labelkit.events import Event, Noted, Scored, Stage, StepDone, TrainingStarted
from labelkit.inference.engine import Engine
from labelkit.inference.prediction import ScoringOptions, SplitScores, score_split
from labelkit.models import loading as model
from labelkit.models.checkpoint import CheckpointInfo, read_checkpoint, write_checkpoint
from labelkit.train import distributed
from labelkit.train import training_state as resume
from labelkit.train.arguments import training_arguments
from labelkit.train.checkpoint_selection import CheckpointSelection, SavedCheckpoint
from labelkit.train.guards import TimeLimit, loss_guard
from labelkit.train.resolution import ResolvedRun
from labelkit.train.signals import InterruptHandler
from labelkit.train.trainer import WordLevelTrainer, bare
from labelkit.train.training_state import TrainingState, TrainingStateStore

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Metrics = Mapping[str, Any]
Emit = Callable[[Event], object]


class Fit:
    """One run's training, from its beginning or from a state.

    :param state: where to go on; None to begin.
    :param at_step: stop after this step in place of ``train.max_minutes``.
    """

    def __init__(
        self, ready: ResolvedRun, emit: Emit, state: TrainingState | None, *, at_step: int | None = None
    ) -> None:
        from transformers import set_seed

        plan = ready.plan
        self._ready, self._emit, self._state = ready, emit, state
        set_seed(plan["train.seed"])
        self._network = model.load_classifier(ready.encoder, ready.corpus.schema, dropout=plan["train.dropout"])
        if plan["train.freeze_embeddings"]:
            model.freeze_embeddings(self._network)
        self._attention: str = self._network.config._attn_implementation
        self._selection = CheckpointSelection(
            ready.id, ready.folder / "checkpoints", higher=plan.metrics[0].higher_is_better, emit=emit
        )
        self._states = TrainingStateStore(ready.folder / "resume", plan["train.save_minutes"] * 60)
        self._best: dict[str, Metrics] = {}
        self._interrupts = InterruptHandler()
        self._each = self._steps = 0
        spent = state.progress.get("seconds", 0.0) if state else 0.0
        self._limit = TimeLimit(plan["train.max_minutes"], spent, at_step=at_step)
        self._guard = loss_guard(plan, ready.device.type)
        self._stopped = False
        self._most: int | None = None
        if state is not None:
            if "guard" in state.progress:
                self._guard.load(state.progress["guard"])
            self._most = state.progress.get("most")
            self._selection.restore(state.progress["selection"])
            self._best.update(state.progress["best"])

    def follow(self) -> None:
        """Train along with the process that leads."""
        if self._state is None or not self._state.trained:
            self._train()

    def run(self) -> tuple[SavedCheckpoint, dict[str, Metrics]]:
        """Train, select, test; return the chosen checkpoint and its scores by split.

        :raises LabelkitError: nothing could be evaluated, or the disk refused.
        """
        if self._state is None or not self._state.trained:
            self._train()
        kept = self._selection.best
        if kept is None:
            raise LabelkitError(
                "training ended before anything could be evaluated", hint="raise --epochs or --max-steps"
            )
        self._test(kept)
        self._states.remove()
        return kept, self._best

    def _train(self) -> None:
        ready = self._ready
        with tempfile.TemporaryDirectory(prefix="labelkit-") as scratch, self._interrupts:
            arguments = training_arguments(ready.plan, Path(scratch), ready.device.type)
            trainer = WordLevelTrainer(
                model=self._network,
                args=arguments,
                train=ready.windows["train"],
                encoding=ready.encoding,
                kind=ready.plan.task.kind,
                batch_tokens=ready.plan["train.batch_tokens"],
                due=self._due,
                after_epoch=self._after_epoch,
                after_evaluation=self._keep_state,
                after_step=self._after_step,
                interrupts=self._interrupts,
            )
            trainer.most, trainer.on_out_of_memory = self._most, self._shortage
            self._each, self._steps = _steps(trainer)
            done = self._state.step if self._state else 0
            epochs = float(arguments.num_train_epochs)
            self._emit(TrainingStarted(run=ready.id, steps=self._steps, epochs=epochs, done=done))
            self._limit.begin()
            try:
                wanted = ready.plan["train.attention"]
                with model.attention_implementation(self._network, self._attention if wanted == "default" else wanted):
                    self._go_on(trainer)
            except KeyboardInterrupt:
                if not self._interrupts.busy:  # else weights and optimizer may be halfway through a step
                    self._write_state(trainer)
                raise
            step = max(done, trainer.state.global_step)
        if distributed.is_main_process():
            self._states.write_trained(step, self._progress())
            self._selection.written()

    def _go_on(self, trainer: WordLevelTrainer) -> None:
        """Train from the beginning, or from the state."""
        state = self._state
        if state is None:
            trainer.train()
            return
        if state.unscored is not None:
            resume.load_weights(trainer, state.folder)
            self._after_epoch(state.step, state.unscored.epoch, state.unscored.loss)
        last = self._selection.last
        scored = last is not None and last.step == state.step
        if state.step < self._steps and not (scored and self._limit.over(state.step)):
            trainer.train(resume_from_checkpoint=str(state.folder))

    def _after_step(self, trainer: WordLevelTrainer) -> None:
        step, epoch = trainer.state.global_step, float(trainer.state.epoch or 0)
        self._guard.step(step, trainer.losses, now=self._states.due)
        self._emit(StepDone(run=self._ready.id, step=step, epoch=epoch))
        word = distributed.broadcast(self._word(step), trainer.args.device.type)
        if word == distributed.STOP:
            self._emit(Noted(run=self._ready.id, text=self._limit.said(step, self._steps)))
            trainer.control.should_training_stop = self._stopped = True
        if word == distributed.INTERRUPT:
            raise KeyboardInterrupt
        self._keep_state(trainer)

    def _word(self, step: int) -> int:
        """Return how training goes on after ``step``."""
        if self._interrupts.asked:
            return distributed.INTERRUPT
        return distributed.STOP if step < self._steps and self._limit.over(step) else distributed.CONTINUE

    def _keep_state(self, trainer: WordLevelTrainer) -> None:
        if self._states.due:
            self._write_state(trainer)

    def _write_state(self, trainer: WordLevelTrainer) -> None:
        """Write where training is, unless it has not begun or that is on the disk already."""
        step = trainer.state.global_step
        if distributed.is_main_process() and step > (self._state.step if self._state else 0):
            self._states.write(trainer, self._progress(), scored=not self._owes_score(step))
            self._selection.written()

    def _owes_score(self, step: int) -> bool:
        """Return whether validation should have been scored after ``step`` and was not."""
        last = self._selection.last
        return self._due(step) and (last is None or last.step != step)

    def _due(self, step: int) -> bool:
        """Return whether validation is scored after ``step``: so many times an epoch, and where training ends."""
        if self._stopped or step == self._steps:
            return True
        times = self._ready.plan["train.evaluations_per_epoch"]
        within = (step - 1) % self._each + 1
        return any(within == -(-self._each * part // times) for part in range(1, times + 1))

    def _progress(self) -> dict[str, Any]:
        known = {"selection": self._selection.to_json(), "best": self._best}
        return {**known, "seconds": self._limit.seconds, "guard": self._guard.to_json(), "most": self._most}

    def _shortage(self, size: int, most: int) -> None:
        self._most = most
        text = f"out of memory with {size:,} sub-tokens at once: batches are computed in parts of {most:,} at most"
        self._emit(Noted(run=self._ready.id, text=text))

    def _after_epoch(self, step: int, epoch: float, loss: float | None) -> Metrics:
        figures = self._select(step, epoch, loss) if distributed.is_main_process() else {}
        distributed.wait_for_everyone()
        return figures

    def _select(self, step: int, epoch: float, loss: float | None) -> Metrics:
        """Score validation, and keep a checkpoint."""
        self._guard.epoch(step, loss)
        ready, metric = self._ready, self._ready.plan.metrics[0]
        with bare(self._network), model.attention_implementation(self._network, self._attention):
            figures, temperature = _score(ready, self._network, "validation", None)
        self._guard.validation(step, figures)
        is_best = self._selection.would_be_best(figures[metric.key])
        if is_best:
            self._best["validation"] = figures
        self._emit(_scored(ready, "validation", step, epoch, figures, loss, is_best))
        self._selection.keep(
            step,
            epoch,
            figures[metric.key],
            lambda path: _save(ready, self._network, path, step, epoch, figures, temperature),
        )
        return figures

    def _test(self, kept: SavedCheckpoint) -> None:
        ready = self._ready
        if "test" not in ready.windows:
            return
        examples = len(ready.corpus.splits["test"].examples)
        self._emit(Stage(run=ready.id, name="testing", detail=f"{examples:,} examples"))
        chosen: Any = model.load_classifier(kept.path, ready.corpus.schema, trained=True)
        temperature = read_checkpoint(kept.path).temperature
        self._best["test"] = _score(ready, chosen.to(self._network.device), "test", temperature).figures
        self._emit(_scored(ready, "test", kept.step, kept.epoch, self._best["test"], None, is_best=True))


def _steps(trainer: WordLevelTrainer) -> tuple[int, int]:
    """Return the optimizer steps of an epoch, and of the whole training."""
    arguments = trainer.args
    batches = len(trainer.get_train_dataloader())
    each = max(1, -(-batches // arguments.gradient_accumulation_steps))
    if arguments.max_steps > 0:
        return each, int(arguments.max_steps)
    return each, int(-(-each * arguments.num_train_epochs // 1))


def _score(ready: ResolvedRun, network: PreTrainedModel, split: str, temperature: float | None) -> SplitScores:
    """Score a split at ``temperature``; None fits it."""
    plan = ready.plan
    names = ready.corpus.schema.label_names
    engine = Engine(
        network,
        ready.encoding,
        plan["train.eval_precision"],
        plan["train.eval_tokens"],
        names.index(ready.fallback),
    )
    examples = ready.corpus.splits[split].examples
    scoring = ScoringOptions(ready.corpus.layer, ready.corpus.schema, plan.decoder, plan.metrics, temperature)
    return score_split(engine, ready.windows[split], examples, scoring)


def _scored(
    ready: ResolvedRun, split: str, step: int, epoch: float, figures: Metrics, loss: float | None, is_best: bool
) -> Scored:
    return Scored(
        run=ready.id,
        split=split,
        task=ready.plan.task.name,
        step=step,
        epoch=epoch,
        metrics=figures,
        train_loss=loss,
        best=is_best,
    )


def _save(
    ready: ResolvedRun,
    network: PreTrainedModel,
    path: Path,
    step: int,
    epoch: float,
    figures: Metrics,
    temperature: float,
) -> dict[str, tuple[int, str]]:
    plan = ready.plan
    info = CheckpointInfo(
        labelkit=labelkit.__version__,
        run=ready.id,
        task=plan.task.name,
        kind=plan.task.kind,
        layer=plan.task.layer,
        schema=ready.corpus.schema,
        decoder=plan.decoder.name,
        preprocessors=tuple((item.name, item.version) for item in plan.preprocessors),
        splitter=plan["data.splitter"],
        fallback=ready.fallback,
        max_length=ready.encoding.max_length,
        overlap=ready.encoding.stride,
        step=step,
        epoch=epoch,
        synthetic=ready.corpus.synthetic,
        metrics={"validation": figures},
        temperature=temperature,
    )
    return write_checkpoint(path, network, ready.encoding.tokenizer, info)
