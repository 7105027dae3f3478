"""Train one run: fine-tune on train, select the best checkpoint on validation, evaluate it on test once."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments, set_seed

from labelkit.errors import LabelkitError
from labelkit.events import Event, Noted, Scored, Stage, StepDone, TrainingStarted
from labelkit.metrics.scoring import is_better
from labelkit.models.adapters import merged_adapters
from labelkit.models.checkpoint import read_checkpoint, write_checkpoint
from labelkit.models.loading import attention_implementation
from labelkit.registry.home import CHECKPOINTS, RESUME
from labelkit.train import distributed
from labelkit.train.arguments import training_arguments
from labelkit.train.checkpoint_selection import CheckpointSelection, SavedCheckpoint
from labelkit.train.guards import TimeLimit, loss_guard
from labelkit.train.kept_model import keep_onnx_model
from labelkit.train.models import classifier_of, new_model, new_trainer, trained_model, windows_note
from labelkit.train.resolution import ResolvedRun
from labelkit.train.scoring import Selection, ValidationScores, score_tasks
from labelkit.train.signals import InterruptHandler
from labelkit.train.trainer import WordLevelTrainer, unwrapped_forward
from labelkit.train.training_state import TrainingState, TrainingStateStore, load_weights
from labelkit.train.weight_average import WeightAverage

#: the metric that says what the last weights and their average score: {"raw": X, "averaged": Y}
WEIGHTS = "weights"
Metrics = Mapping[str, Any]
Emit = Callable[[Event], object]


class TrainingRun(TrainerCallback):
    """The training of one run: :meth:`fit`, then :meth:`test`.

    It is the callback of its Trainer. After each optimizer step it checks the loss, the time limit and interrupts, and
    saves the training state; ``train.evaluations_per_epoch`` times an epoch it evaluates on validation and saves a
    checkpoint.

    :param state: the state to resume from; None to train from the beginning.
    :param at_step: stop after this step in place of ``train.max_minutes``.
    :param check_writable: called before files of the run are written or deleted; raises if they may not be.
    """

    _trainer: WordLevelTrainer

    def __init__(
        self,
        run: ResolvedRun,
        emit: Emit,
        state: TrainingState | None,
        *,
        at_step: int | None = None,
        check_writable: Callable[[], object] = lambda: None,
    ) -> None:
        plan = run.plan
        self._run, self._emit, self._state = run, emit, state
        self._check_writable = check_writable
        set_seed(plan.train.seed)
        self._model: Any = new_model(run)
        self._classifier = classifier_of(self._model)
        self._attention: str = self._classifier.config._attn_implementation
        self._selects = Selection.of([one.plan for one in run.of_tasks])
        higher = self._selects.higher_is_better
        self._selection = CheckpointSelection(run.id, run.folder / CHECKPOINTS, higher=higher, emit=emit)
        self._states = TrainingStateStore(run.folder / RESUME, plan.train.save_minutes * 60)
        self._interrupts = InterruptHandler()
        self._guard = loss_guard(plan, run.device.type)
        self._steps_per_epoch = self._steps = 0
        self._stopped = False
        progress = state.progress if state else {}
        self._limit = TimeLimit(plan.train.max_minutes, progress.get("seconds", 0.0), at_step=at_step)
        self._max_tokens: int | None = progress.get("most")
        self._metrics: dict[str, Mapping[str, Metrics]] = {**progress.get("best", {})}
        if "guard" in progress:
            self._guard.load(progress["guard"])
        if "selection" in progress:
            self._selection.load(progress["selection"])

    def fit_and_test(self) -> tuple[SavedCheckpoint, dict[str, Mapping[str, Metrics]]]:
        """Train, evaluate the best checkpoint on test, and keep its ONNX model: :meth:`fit`, then :meth:`test`."""
        self.fit()
        best, metrics = self.test()
        keep_onnx_model(self._run.id, [one.plan for one in self._run.of_tasks], best.path, self._emit)
        return best, metrics

    def fit(self) -> None:
        """Train and evaluate on validation until the end, or until the time limit.

        Does nothing if the state says that training is over.

        :raises KeyboardInterrupt: the run was interrupted; its state is saved.
        :raises TrainingError: the loss diverges or is NaN, or a single window is too large for the memory.
        """
        run, state = self._run, self._state
        if state is not None and state.trained:
            return
        done, attention = state.step if state else 0, run.plan.train.attention
        with tempfile.TemporaryDirectory(prefix="labelkit-") as scratch, self._interrupts:
            arguments = training_arguments(run.plan, Path(scratch), run.device.type)
            trainer = self._trainer = self._make_trainer(arguments)
            self._steps_per_epoch, self._steps = trainer.count_steps()
            epochs = float(arguments.num_train_epochs)
            metric = self._selects.key
            self._emit(TrainingStarted(run=run.id, steps=self._steps, epochs=epochs, done=done, metric=metric))
            self._limit.start()
            try:
                with attention_implementation(
                    self._classifier, self._attention if attention == "default" else attention
                ):
                    trainer.train() if state is None else self._resume(state)
            except KeyboardInterrupt:
                if not self._interrupts.in_step:  # else weights and optimizer may be halfway through a step
                    self._save_state()
                raise
            step = max(done, trainer.state.global_step)
        if distributed.is_main_process():
            self._check_writable()
            self._states.write_trained(step, self._progress())
            self._selection.protect()
        del self._trainer  # frees the optimizer

    def test(self) -> tuple[SavedCheckpoint, dict[str, Mapping[str, Metrics]]]:
        """Evaluate the best checkpoint on test; return it and its metrics by split and task.

        :raises LabelkitError: training ended before the first evaluation on validation.
        """
        run, best = self._run, self._selection.best
        if best is None:
            raise LabelkitError(
                "training ended before anything could be evaluated", hint="raise --epochs or --max-steps"
            )
        if tested := [one for one in run.of_tasks if "test" in one.windows]:
            examples = " + ".join(f"{len(one.corpus.splits['test'].examples):,}" for one in tested)
            self._emit(Stage(run=run.id, name="testing", detail=f"{examples} examples"))
            model: Any = trained_model(run, best.path)
            saved = read_checkpoint(best.path).of_tasks
            scores = score_tasks(run, model.to(self._model.device), "test", saved)
            self._metrics["test"] = self._selects.with_summary({task: one.figures for task, one in scores.items()})
            self._emit_scores("test", best.step, best.epoch, self._metrics["test"], best=True)
        self._check_writable()
        self._states.remove()
        return best, self._metrics

    # -- called by the Trainer

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Defer interrupts until the end of the step."""
        self._interrupts.in_step = True

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Check the loss, interrupts and the time limit; save the state; decide whether to evaluate."""
        losses, step = self._trainer.losses, state.global_step
        losses.count_step()
        if self._trainer.average is not None:
            self._trainer.average.update(step)
        self._interrupts.in_step = False
        self._guard.step(step, losses, now=self._states.due)
        self._emit(StepDone(run=self._run.id, step=step, epoch=float(state.epoch or 0)))
        decision = distributed.CONTINUE
        if self._interrupts.requested:
            decision = distributed.INTERRUPT
        elif step < self._steps and self._limit.reached(step):
            decision = distributed.STOP
        decision = distributed.broadcast(decision, args.device.type)
        if decision == distributed.INTERRUPT:
            raise KeyboardInterrupt
        if decision == distributed.STOP:
            self._emit(Noted(run=self._run.id, text=self._limit.message(step, self._steps)))
            control.should_training_stop = self._stopped = True
        if self._states.due:
            self._save_state()
        self._stopped = self._stopped or control.should_training_stop  # by another callback
        control.should_evaluate = self._evaluates_after(step)

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Save the state after an evaluation where that is due."""
        if self._states.due:
            self._save_state()

    def evaluate(self, step: int, epoch: float, loss: float | None) -> Metrics:
        """Evaluate on validation, save a checkpoint and return the metrics; none on processes but the main one.

        :param epoch: epochs done.
        :param loss: the mean training loss since the last evaluation.
        """
        metrics: Mapping[str, Metrics] = {}
        if distributed.is_main_process():
            self._guard.epoch(step, loss)
            run = self._run
            scores = self._score_validation(step)
            metrics = scores.metrics
            value = self._selects.value(metrics)
            best = self._selection.is_best(value)
            if best:
                self._metrics["validation"] = metrics
            self._emit_scores("validation", step, epoch, metrics, best=best, loss=loss)
            self._check_writable()
            write = partial(
                write_checkpoint,
                model=self._model,
                tokenizer=run.tokenizer,
                info=run.checkpoint_info(step, epoch, scores.of_tasks, averaged=scores.averaged),
                train_mentions=run.kept_mentions,
            )
            average = self._trainer.average if scores.averaged else None
            with average.applied() if average else contextlib.nullcontext():
                self._selection.save(step, epoch, value, write)
        distributed.wait_for_everyone()
        return metrics.get(self._selects.task, {})

    def _note_out_of_memory(self, tokens: int, max_tokens: int) -> None:
        self._max_tokens = max_tokens
        text = (
            f"out of memory with {tokens:,} subwords at once: batches are computed in parts of {max_tokens:,} at most"
        )
        self._emit(Noted(run=self._run.id, text=text))

    # -- helpers

    def _score_validation(self, step: int) -> ValidationScores:
        """Return the scores of the model's weights, or of their moving average where validation prefers it.

        Where the weights are averaged, the metrics say under :data:`WEIGHTS` what both score.
        """
        average = self._trainer.average
        raw = self._score_weights(step)
        if average is None:
            return raw
        with average.applied():
            averaged = self._score_weights(step)
        values = {"raw": self._selects.value(raw.metrics), "averaged": self._selects.value(averaged.metrics)}
        better = is_better(values["averaged"], values["raw"], higher=self._selects.higher_is_better)
        chosen, task = averaged if better else raw, self._selects.task
        metrics = {**chosen.metrics, task: {**chosen.metrics[task], WEIGHTS: values}}
        return ValidationScores(chosen.of_tasks, metrics, averaged=better)

    def _score_weights(self, step: int) -> ValidationScores:
        """Return the scores of the weights that the model has at present."""
        attention = attention_implementation(self._classifier, self._attention)
        with merged_adapters(self._classifier), unwrapped_forward(self._model), attention:
            scores = score_tasks(self._run, self._model, "validation", None)
        for one in scores.values():
            self._guard.validation(step, one.figures)
        return ValidationScores(scores, self._selects.with_summary({task: one.figures for task, one in scores.items()}))

    def _make_trainer(self, arguments: TrainingArguments) -> WordLevelTrainer:
        callbacks = [*self._run.callbacks, self]
        trainer = new_trainer(self._run, self._model, args=arguments, evaluate=self.evaluate, callbacks=callbacks)
        if note := windows_note(self._run, trainer):
            self._emit(note)
        decay = self._run.plan.train.ema_decay
        if decay is not None and distributed.is_main_process():  # the weights of all processes are the same
            trainer.average = WeightAverage(self._model, decay)
        trainer.max_tokens, trainer.on_out_of_memory = self._max_tokens, self._note_out_of_memory
        return trainer

    def _resume(self, state: TrainingState) -> None:
        """Train from ``state``, after the evaluation that it still lacks."""
        if state.pending is not None:
            load_weights(self._trainer, state.folder)
            self.evaluate(state.step, state.pending.epoch, state.pending.loss)
        last = self._selection.last
        stopped = last is not None and last.step == state.step and self._limit.reached(state.step)
        if state.step < self._steps and not stopped:
            self._trainer.train(resume_from_checkpoint=str(state.folder))

    def _evaluates_after(self, step: int) -> bool:
        """Return whether validation is evaluated after ``step``: as often an epoch as the plan says, and at the end."""
        if self._stopped or step == self._steps:
            return True
        times = self._run.plan.train.evaluations_per_epoch
        within = (step - 1) % self._steps_per_epoch + 1
        return any(within == -(-self._steps_per_epoch * part // times) for part in range(1, times + 1))

    def _save_state(self) -> None:
        """Save the training state, unless training has not advanced."""
        step, last = self._trainer.state.global_step, self._selection.last
        if distributed.is_main_process() and step > (self._state.step if self._state else 0):
            evaluated = last is not None and last.step == step
            pending = self._evaluates_after(step) and not evaluated
            self._check_writable()
            self._states.write(self._trainer, self._progress(), pending=pending)
            self._selection.protect()

    def _progress(self) -> dict[str, Any]:
        """Return what a resumed run has to know beside the state of its Trainer, for JSON."""
        return {
            "selection": self._selection.to_json(),
            "best": self._metrics,
            "seconds": self._limit.seconds,
            "guard": self._guard.to_json(),
            "most": self._max_tokens,
        }

    def _emit_scores(
        self,
        split: str,
        step: int,
        epoch: float,
        metrics: Mapping[str, Metrics],
        *,
        best: bool,
        loss: float | None = None,
    ) -> None:
        """Emit the scores of each task; the training loss with that of a single one, or with the summary of several."""
        common: dict[str, Any] = {"run": self._run.id, "split": split, "step": step, "epoch": epoch, "best": best}
        for task, figures in metrics.items():
            train_loss = loss if task == self._selects.task else None
            self._emit(Scored(**common, task=task, metrics=figures, train_loss=train_loss))
