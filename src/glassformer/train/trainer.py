"""The Trainer: updates, evaluations and checkpoints in turn, until a limit, a signal or the end of patience."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import Any, Literal

import torch
from torch import nn

from glassformer.checkpoint import Config
from glassformer.data.batches import Batch, TokenBatches
from glassformer.data.vocabulary import Vocabularies
from glassformer.errors import UserError, unknown_name
from glassformer.model.transformer import Transformer
from glassformer.train.callbacks import Callback, StepReport, StopKind, StopReason
from glassformer.train.config import TrainingConfig
from glassformer.train.distributed import Processes
from glassformer.train.keep_for_look import KeepForLook
from glassformer.train.keeper import Keeper
from glassformer.train.metrics import METRICS, MetricsFile
from glassformer.train.schedules import learning_rate
from glassformer.train.signals import CODES, StopSignals
from glassformer.train.state import Progress, dropout_seed, machine_facts, warn_unless_same
from glassformer.train.step import NotFiniteError, StepResult, make_optimizer, train_step

SPEED_OVER = 20  # updates that the tokens per second are measured over
TICK = 1e-6  # seconds, or a part of the run: some clocks say 0 for the first update


class Trainer:
    """Trains `model` in `folder`: metrics.jsonl, checkpoints/step-*, look/step-* where asked, and at the end model/.

    `batches` makes the stream for (rank, world). `saved` is what config.json keeps: data, decoding, run. `evaluate`
    gives scores by name; `watch_score` says which one decides, and whether less or more of it is better. The final
    model is the best checkpoint by that score (without `evaluate` the last), or the mean of the last `average_last`
    ones where that scores no worse.
    """

    def __init__(
        self,
        model: Transformer,
        vocabularies: Vocabularies,
        batches: Callable[[int, int], TokenBatches],
        config: TrainingConfig,
        *,
        folder: str | os.PathLike[str],
        saved: Mapping[str, dict[str, Any]] | None = None,
        evaluate: Callable[[Transformer], dict[str, float]] | None = None,
        watch_score: tuple[str, Literal["min", "max"]] = ("valid_loss", "min"),
        callbacks: Sequence[Callback] = (),
    ) -> None:
        if config.max_steps is None and config.max_minutes is None:
            raise UserError("max_steps and max_minutes are both None: say when to stop, for example max_steps=10000.")
        vocabularies.check(model.config.src_vocab_size, model.config.trg_vocab_size)
        self.config, self.pad_idx = config, vocabularies.trg.pad_id
        self.processes = Processes.from_environment()
        self.device = self.processes.device(model.device)
        self.model = model.to(self.device, torch.float64 if config.precision == "float64" else None)
        self.optimizer = make_optimizer(self.model, config)
        self.batches = batches(self.processes.rank, self.processes.world)
        self.evaluate, (self.watched, direction) = evaluate, watch_score
        self.less_is_better = direction == "min"
        own: list[Callback] = [MetricsFile(Path(folder) / METRICS, config.log_every)]
        if config.keep_for_look:
            own.append(KeepForLook(Path(folder), config.keep_for_look))
        self.callbacks: Sequence[Callback] = [*own, *callbacks] if self.processes.first else []
        machine = machine_facts(self.model, config.precision, self.processes.world)
        self.progress = Progress(batches=self.batches.state(), machine=machine)
        about: dict[str, dict[str, Any]] = {"data": {}, "decoding": {}, "run": {}} | dict(saved or {})
        keep = max(config.keep_checkpoints, config.average_last)
        self.keeper = Keeper(Path(folder), self.model, vocabularies, Config(model=model.config, **about), keep)

    @property
    def step(self) -> int:
        """Updates done."""
        return self.progress.step

    @property
    def done(self) -> float:
        """The part of the run that is behind us, 0 to 1, by the limit that is nearer."""
        by_steps = self.step / self.config.max_steps if self.config.max_steps else 0.0
        by_time = self.progress.seconds / (60 * self.config.max_minutes) if self.config.max_minutes else 0.0
        return min(1.0, max(by_steps, by_time))

    def resume(self) -> None:
        """Go on from the newest whole checkpoint, to the same bits on the same machine; warns where it is another.

        Raises UserError where there is none, or where it is of another model, optimizer or vocabulary.
        """
        machine = self.progress.machine
        self.progress = self.keeper.restore(self.optimizer)
        self.batches.restore(self.progress.batches)
        warn_unless_same(self.progress.machine, machine)
        self.progress.machine = machine

    def train(self) -> StopReason:
        """Train until a limit, the end of patience, SIGTERM or Ctrl-C; the model then holds the final weights.

        A signal lets the step be finished and saved; a second Ctrl-C acts at once. Raises NotFiniteError before an
        update that would spoil the weights, UserError where the folder holds another run or cannot be written to.
        """
        if self.processes.first:
            self.keeper.open()
        self._origin, self._begun = monotonic() - self.progress.seconds, (self.progress.seconds, self.done)
        self._speed: deque[tuple[int, float]] = deque(maxlen=SPEED_OVER)
        try:
            with StopSignals(patient=self.processes.world > 1) as signals:
                with self.processes.joined(self.device):
                    kind = self._update_until_stopped(signals)
                reason = self._stop(kind)
        except BaseException as error:
            for callback in self.callbacks:
                callback.on_failure(error)
            raise
        for callback in self.callbacks:
            callback.on_stop(reason)
        return reason

    def _update_until_stopped(self, signals: StopSignals) -> StopKind:
        # A frame of its own: the DDP module must be gone before its process group is, or the process hangs.
        for callback in self.callbacks:
            callback.on_start(self)
        module, stream = self.processes.wrap(self.model, self.device), iter(self.batches)
        while (kind := self._look_around(signals)) is None:
            self._update(module, stream)
        return kind

    def _look_around(self, signals: StopSignals) -> StopKind | None:
        """Between two updates: evaluate and save what is due; gives the reason to stop, where there is one."""
        config, progress = self.config, self.progress
        code, progress.seconds = self.processes.largest(
            CODES.index(signals.received), monotonic() - self._origin, device=self.device
        )
        signal, limit = CODES[int(code)], self._limit()
        if signal is None and (limit or self.step % config.evaluate_every == 0):
            self._evaluate()
        kind = signal or limit
        if kind is None and config.patience and progress.evaluations_without_better >= config.patience:
            kind = "patience"
        due = self.step > 0 and (self.step % config.save_every == 0 or progress.best_step == self.step)
        if (kind or due) and self.keeper.saved_step != self.step:
            self._save()
        return kind

    def _limit(self) -> StopKind | None:
        if self.config.max_steps and self.step >= self.config.max_steps:
            return "max_steps"
        return "max_minutes" if self.done >= 1 else None

    def _update(self, module: nn.Module, stream: Iterator[Batch]) -> None:
        start, rate = monotonic(), learning_rate(self.config, self.step + 1, self.done, self.model.config.embed_size)
        torch.manual_seed(dropout_seed(self.config.seed, self.step, self.processes.rank))
        micro_batches = [batch.to(self.device) for batch in islice(stream, self.config.accumulate)]
        with self._telling_what_is_left():
            result = train_step(
                module, self.optimizer, micro_batches, self.config,
                rate=rate, pad_idx=self.pad_idx, processes=self.processes,
            )  # fmt: skip
        self.progress.step += 1
        self.progress.batches = self.batches.state()
        self.progress.seconds = monotonic() - self._origin
        self._speed.append((result.tokens, monotonic() - start))
        self._report(result, rate)

    def _report(self, result: StepResult, rate: float) -> None:
        tokens, seconds = (sum(column) for column in zip(*self._speed, strict=True))
        earlier, done_earlier = self._begun
        report = StepReport(
            step=self.step, epoch=self.batches.epoch, learning_rate=rate, **result._asdict(),
            tokens_per_second=tokens / max(seconds, TICK), seconds=self.progress.seconds, progress=self.done,
            seconds_left=(self.progress.seconds - earlier) * (1 - self.done) / max(self.done - done_earlier, TICK),
        )  # fmt: skip
        for callback in self.callbacks:
            callback.on_step(report)

    def _evaluate(self) -> None:
        """Score the weights in the first process, once a step; the others are told the watched score."""
        if self.evaluate is None or self.progress.evaluated_step == self.step:
            return
        score = 0.0
        if self.processes.first:
            scores = self.evaluate(self.model)
            score = self._watched_in(scores)
            for callback in self.callbacks:
                callback.on_evaluate(self.step, scores)
        (score,) = self.processes.sum(score, device=self.device)
        self.progress.note(score, self.less_is_better)

    def _watched_in(self, scores: Mapping[str, float]) -> float:
        if self.watched not in scores:
            raise unknown_name("score to watch", self.watched, scores)
        return float(scores[self.watched])

    def _save(self) -> None:
        if self.processes.first:
            with self._telling_what_is_left():
                folder = self.keeper.save(self.progress, self.optimizer)
            for callback in self.callbacks:
                callback.on_save(self.step, folder)
        self.keeper.saved_step = self.step

    def _stop(self, kind: StopKind) -> StopReason:
        """After a signal the checkpoint is the result; else the final model is made, in the first process."""
        if kind in CODES:
            folder = self.keeper.at(self.step)
            words = (
                f"{kind}: stopped after step {self.step}, saved in {folder}. Go on from there with resume (--resume)."
            )
            return StopReason(kind=kind, step=self.step, folder=folder, message=words)
        words = f"{kind}: stopped after step {self.step}; the model is in {self.keeper.final}"
        if self.processes.first:
            words += f": {self.keeper.finish(self.progress, self.config.average_last, self._scores_no_worse)}"
        return StopReason(kind=kind, step=self.step, folder=self.keeper.final, message=words + ".")

    def _scores_no_worse(self) -> bool:
        """Whether the weights now in the model, a mean, score at least as well as the best checkpoint."""
        if self.evaluate is None:
            return True
        return self.progress.no_worse(self._watched_in(self.evaluate(self.model)), self.less_is_better)

    @contextmanager
    def _telling_what_is_left(self) -> Iterator[None]:
        """Say what to do about a number that is not finite: the last checkpoint was written before it."""
        try:
            yield
        except NotFiniteError as error:
            saved = self.keeper.saved_step
            left = (
                "There is no checkpoint yet"
                if saved is None
                else f"The last good checkpoint is {self.keeper.at(saved)}"
            )
            raise NotFiniteError(
                f"update {self.step + 1}: {error}; the weights stay as they were. {left}. "
                f"Try a lower learning_rate than {self.config.learning_rate}, or more than {self.config.warmup_steps} "
                "warmup_steps."
            ) from error
