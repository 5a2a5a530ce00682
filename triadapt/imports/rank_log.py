"""A log of ranks, as AdaLoRA's and IncreLoRA's authors write it and as `export --what tensorboard` does, as a run.

What is read: `Ranknum/MATRIX` at each step that has one, with `Budget/increase_threshold` or `Budget/mask_threshold`,
`Budget/sum_param` and, of our own logs, `Budget/allowed` and `Importance/MATRIX`; the losses and learning rates of the
training; the metrics of the first held-out part that is there. AdaLoRA's authors name a matrix by its singular values,
`.lora_E`. A log of the Trainer of transformers counts steps that are done: its first loss is that of step 0.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from triadapt.events import UNKNOWN_SHAPE, Evaluation, Event, Finished, Matrix, RankEvent, Scores, Step, Warned
from triadapt.imports.event_files import LoggedScalars, Point
from triadapt.imports.own_run import (
    MOST_MATRICES,
    MOST_STEPS,
    ForeignRun,
    checked_path,
    checked_rank,
    incomplete,
    started,
)
from triadapt.methods.places import places
from triadapt.methods.registry import METHODS
from triadapt.runs.info import RunError
from triadapt.runs.library import LONGEST_NAME, tidy_name
from triadapt.runs.scalar_tags import (
    ALLOWED,
    EFFECTIVE,
    IMPORTANCE,
    LEARNING_RATE,
    LOSS,
    METHOD,
    METRIC,
    PARAMETERS,
    RANK,
    THRESHOLDS,
    TOTAL,
)
from triadapt.tasks.registry import ELSEWHERE

MOST_STATES, MOST_CELLS = 100_000, 20_000_000
LATEST = 4e9  # seconds since 1970, in the year 2096
LOSSES = (LOSS, "train_loss", "loss", "Loss/train", "loss/train", "training/loss")
RATES = (LEARNING_RATE, "train/lr", "learning_rate", "lr")
HELD_OUT = re.compile(r"(eval|validation|val|dev|test)[/_](.{1,100})")
PREFERRED = ("accuracy", "matthews_correlation", "f1", "spearmanr", "pearson", "exact_match")
OF_TRAINER = ("train/epoch", "eval/runtime", "train/train_runtime")
RULES = {"increlora": "top-h", "adalora": "budget"}


def has_ranks(logged: LoggedScalars) -> bool:
    """Whether there is a rank of any matrix, be it an effective one."""
    return any(tag.startswith((RANK, EFFECTIVE)) for tag in logged.scalars)


def run_of_log(logged: LoggedScalars, source: str, name: str) -> ForeignRun:
    """The training that a log with ranks is of. source: what errors name; name: what the run is called. Raises RunError
    for ranks, names and steps that cannot be."""
    ranks = _Ranks.read(logged, source)
    method = _method(logged, ranks)
    losses, rates = _losses(logged), _first(logged, RATES)
    evaluations = _evaluations(logged)
    ends = [max(losses, default=-1) + 1, *([ranks.steps[-1] + 1] if ranks.steps else []), *evaluations]
    total = max(1, *ends)
    if total > MOST_STEPS or min([0, *losses, *ranks.steps, *evaluations]) < 0:
        least = min([*losses, *ranks.steps, *evaluations])
        raise RunError(f"{source}: steps from {least} to {total - 1}: expected 0 to {MOST_STEPS - 1}")
    metric = _metric(evaluations, _told(logged, METRIC))
    known = {"steps": total, ELSEWHERE.name: {"source": "TensorBoard"}}
    first = Points(started(
        method, known, ranks.matrices, start_total=int(ranks.start.sum()), planned=ranks.steps, metric=metric,
        higher_is_better=not any(word in metric for word in ("loss", "perplexity", "error", "wer", "mse", "mae")),
    ))  # fmt: skip
    notes = [incomplete(line) for line in ranks.notes]
    events = [
        *_steps(losses, rates),
        *ranks.events(logged, method),
        *(Points(Evaluation(step, {key: p.value for key, p in at.items()}), max(p.time for p in at.values()))
          for step, at in evaluations.items()),
    ]  # fmt: skip
    events.sort(key=lambda one: (one.event.step, _ORDER.index(type(one.event))))
    last = evaluations[max(evaluations)] if evaluations else {}
    end = Finished(total - 1, {key: point.value for key, point in last.items()})
    times = [one.time for one in events if 0 < one.time < LATEST]
    created = min(times, default=time.time())
    timed: list[tuple[float, Event]] = [(0.0, first.event), *((0.0, note) for note in notes)]
    now = 0.0
    for one in events:
        now = max(now, one.time - created if 0 < one.time < LATEST else 0.0)
        timed.append((now, one.event))
    label = f"{METHODS[method].label}, {name}"[:LONGEST_NAME]
    return ForeignRun(method, label, created, known, [*timed, (now, end)])


@dataclass(frozen=True)
class Points:
    """An event with the time it was logged at, 0 where that is not known."""

    event: Event
    time: float = 0.0


_ORDER = (Warned, Step, RankEvent, Scores, Evaluation)


@dataclass
class _Ranks:
    """Ranks `(states, n)` of the matrices after each of `steps`, and `start`, those before the first."""

    matrices: list[Matrix]
    tags: list[str]
    steps: list[int]
    states: list[NDArray[np.uint16]]
    times: list[float]
    start: NDArray[np.uint16]
    notes: list[str] = field(default_factory=list)
    of_singular_values: bool = False

    @classmethod
    def read(cls, logged: LoggedScalars, source: str) -> _Ranks:
        tags = [tag for tag in logged.scalars if tag.startswith(RANK)]
        if not tags and any(tag.startswith(EFFECTIVE) for tag in logged.scalars):
            raise RunError(
                f"{source}: a log of a method without a rank of its own tells only effective ranks; leave it out, "
                f"or import its bundle, `triadapt export --what bundle`"
            )
        if not tags:
            raise RunError(
                f"{source}: no rank in it: expected scalars named {RANK}MATRIX, as AdaLoRA's and IncreLoRA's code logs"
            )
        paths = [tag.removeprefix(RANK).removesuffix(".lora_E").removeprefix("base_model.model.") for tag in tags]
        if len(tags) > MOST_MATRICES or len(set(paths)) < len(paths):
            twice = next((path for path in paths if paths.count(path) > 1), "") if len(tags) <= MOST_MATRICES else ""
            raise RunError(f"{source}: {len(tags)} matrices{f', {twice[:80]!r} twice' if twice else ''}; at most "
                           f"{MOST_MATRICES} with names of their own are read")  # fmt: skip
        where = places([checked_path(path, source) for path in paths])
        matrices = [
            Matrix(path, layer, module, UNKNOWN_SHAPE) for path, (layer, module) in zip(paths, where, strict=True)
        ]
        steps = sorted({step for tag in tags for step in logged.scalars[tag]})
        if len(steps) > MOST_STATES or len(steps) * len(tags) > MOST_CELLS:
            raise RunError(
                f"{source}: ranks of {len(tags)} matrices at {len(steps)} steps; at most {MOST_CELLS} are read"
            )
        # A matrix that was not logged at a step has the rank it had.
        first = [logged.scalars[tag][min(logged.scalars[tag])].value for tag in tags]
        ranks = np.array(
            [checked_rank(value, f"{source}: {tag}") for tag, value in zip(tags, first, strict=True)], np.uint16
        )
        states, times = [], []
        for step in steps:
            ranks = ranks.copy()
            there = [(at, logged.scalars[tag][step]) for at, tag in enumerate(tags) if step in logged.scalars[tag]]
            for at, point in there:
                ranks[at] = checked_rank(point.value, f"{source}: {tags[at]} at step {step}")
            states.append(ranks)
            times.append(max(point.time for _, point in there))
        found = cls(matrices, tags, steps, states, times, states[0], of_singular_values=tags[0].endswith(".lora_E"))
        found._tell_what_is_missing(logged)
        return found

    def _tell_what_is_missing(self, logged: LoggedScalars) -> None:
        totals = logged.scalars.get(TOTAL, {})
        other = next((step for step, state in zip(self.steps, self.states, strict=True)
                      if step in totals and totals[step].value != state.sum()), None)  # fmt: skip
        if other is not None:
            self.notes.append(f"at step {other} the log gives {totals[other].value:g} as total rank; the ranks of the "
                              f"matrices in it add up to {self.states[self.steps.index(other)].sum()}")  # fmt: skip
        if self.steps[0] == 0:  # what stands there is the start, and no decision
            if len(self.steps) == 1:
                return
            del self.steps[0], self.states[0], self.times[0]
        else:
            self.notes.append(f"the log holds no ranks from before step {self.steps[0]}: until then those of this step "
                              "are shown")  # fmt: skip

    def events(self, logged: LoggedScalars, method: str) -> Iterator[Points]:
        """A rank event for each state, importances with it where they were logged, and those between."""
        allocation = METHODS[method].allocation
        thresholds = _first(logged, (THRESHOLDS.get(allocation, ""), *THRESHOLDS.values()))
        importances = [logged.scalars.get(f"{IMPORTANCE}{tag.removeprefix(RANK)}", {}) for tag in self.tags]
        everywhere = set.intersection(*map(set, importances)) if importances else set()
        scores = {
            step: Points(Scores(step, np.array([_single(of[step].value) for of in importances], np.float32)),
                         importances[0][step].time)
            for step in everywhere if step >= 0
        }  # fmt: skip
        before = self.start
        for step, state, when in zip(self.steps, self.states, self.times, strict=True):
            held = scores.pop(step, None)
            changed = np.flatnonzero(state != before)
            grew = [int(i) for i in changed]
            yield Points(
                RankEvent(
                    step=step,
                    rule=RULES.get(method, "logged"),
                    threshold=thresholds[step].value if step in thresholds else math.nan,
                    allowed=_count(logged, ALLOWED, step),
                    chosen=grew,
                    total_rank=int(state.sum()),
                    trainable_parameters=_count(logged, PARAMETERS, step),
                    optimizer_bytes=0,
                    scores=held.event.scores if held and isinstance(held.event, Scores) else np.zeros(0, np.float32),
                    ranks=state,
                    before=before,
                ),
                when,
            )
            before = state
        yield from scores.values()


def _single(value: float) -> float:
    largest = float(np.finfo(np.float32).max)
    return max(-largest, min(largest, value)) if math.isfinite(value) else math.nan


def _count(logged: LoggedScalars, tag: str, step: int) -> int:
    point = logged.scalars.get(tag, {}).get(step)
    return int(point.value) if point and math.isfinite(point.value) and 0 <= point.value < 2**53 else 0


def _method(logged: LoggedScalars, ranks: _Ranks) -> str:
    """As the log says, else whose tags it has, else by what its ranks do."""
    told = _told(logged, METHOD)
    if told in METHODS:
        return told
    if THRESHOLDS["prunes"] in logged.scalars or ranks.of_singular_values:
        return "adalora"
    if THRESHOLDS["grows"] in logged.scalars:
        return "increlora"
    last = ranks.states[-1] if ranks.states else ranks.start
    return "adalora" if last.sum() < ranks.start.sum() else "increlora"


def _told(logged: LoggedScalars, tag: str) -> str:
    """A text by its tag, to which writers add an ending of their own."""
    return next((text.strip() for name, text in logged.texts.items() if name.startswith(tag)), "")


def _first(logged: LoggedScalars, tags: tuple[str, ...]) -> dict[int, Point]:
    return next((logged.scalars[tag] for tag in tags if tag in logged.scalars), {})


def _losses(logged: LoggedScalars) -> dict[int, Point]:
    done = any(tag in logged.scalars for tag in OF_TRAINER)
    found = _first(logged, LOSSES)
    return {step - 1 if done and step > 0 else step: point for step, point in found.items()}


def _steps(losses: dict[int, Point], rates: dict[int, Point]) -> Iterator[Points]:
    told = False
    rate = math.nan
    for step in sorted(losses):
        point = losses[step]
        near = rates.get(step, rates.get(step + 1))
        rate = near.value if near is not None and math.isfinite(near.value) else rate
        if math.isfinite(point.value):
            yield Points(Step(step, point.value, rate), point.time)
        elif not told:
            told = True
            yield Points(Warned(step, "loss", f"the loss is {point.value}", "lower the learning rate"), point.time)


def _evaluations(logged: LoggedScalars) -> dict[int, dict[str, Point]]:
    """step -> metric -> value, of the first held-out part that was logged."""
    matched = {tag: found for tag in logged.scalars if (found := HELD_OUT.fullmatch(tag))}
    part = next((found[1] for found in matched.values()), "")
    held: dict[int, dict[str, Point]] = {}
    for tag, found in matched.items():
        name = found[2]
        if found[1] != part or tidy_name(name) != name or name.endswith(("runtime", "_per_second", "epoch")):
            continue
        for step, point in logged.scalars[tag].items():
            if math.isfinite(point.value):
                held.setdefault(step, {})[name] = point
    return dict(sorted(held.items()))


def _metric(evaluations: dict[int, dict[str, Point]], told: str) -> str:
    names = list(dict.fromkeys(name for at in evaluations.values() for name in at))
    if told in names:
        return told
    return next((name for name in PREFERRED if name in names), "loss" if "loss" in names or not names else names[0])
