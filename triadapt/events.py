"""The events of a run: the one language between training and everything else.

An event holds nothing that depends on the clock or on the machine's speed, so that a repeated run gives equal events;
the time of an event stands beside it, in `Stamped`. Arrays travel as raw little-endian bytes beside a JSON body.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray


def _f4() -> NDArray[np.float32]:
    return np.zeros(0, np.float32)


def _u2() -> NDArray[np.uint16]:
    return np.zeros(0, np.uint16)


UNKNOWN_SHAPE = (0, 0)
"""Of a matrix whose size nothing tells."""


@dataclass(frozen=True)
class Matrix:
    """One adapted weight matrix.

    name: path of the linear layer in the base model. layer: index of its block, from 0. module: short name of its place
    in the block (`q`, `k`, `up`, ...). shape: `(out, in)`, `(0, 0)` when unknown. planted_rank: rank of the
    planted change; None when unknown.
    """

    name: str
    layer: int
    module: str
    shape: tuple[int, int]
    planted_rank: int | None = None


@dataclass(frozen=True)
class Event:
    """Base of all events. `step` counts optimizer steps from 0. A rank event, scores and a checkpoint of step t
    describe the state after that step; the loss of `Step` is the one before it. `Evaluation` and `Geometry` give the
    number of steps done, so that the state before any training is at 0."""

    kind: ClassVar[str] = ""
    arrays: ClassVar[dict[str, str]] = {}
    step: int


@dataclass(frozen=True)
class Started(Event):
    """First event of a run. `config` is the whole configuration; `planned` the steps at which a rank event is due.
    `rank_kind`: see `RankKind` in the registry of methods. `shared`: groups of matrices, by index, that share factors.
    `frozen_bytes`: what all numbers take that are not trained; 0 when unknown."""

    kind: ClassVar[str] = "started"
    config: dict[str, Any]
    matrices: list[Matrix]
    method: str
    task: str
    allocation: str
    core_kind: str
    metric: str
    higher_is_better: bool
    total_step: int
    start_total_rank: int
    target_total_rank: int
    trainable_parameters: int
    planned: list[int]
    device: str
    data: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    rank_kind: str = "allotted"
    shared: list[list[int]] = field(default_factory=list)
    frozen_bytes: int = 0

    @property
    def allotted(self) -> bool:
        """Whether its ranks are its own, which were chosen; else they are effective ranks of dW, as measured."""
        return self.rank_kind != "measured"


@dataclass(frozen=True)
class Step(Event):
    """One optimizer step: training loss before the update, learning rate used."""

    kind: ClassVar[str] = "step"
    loss: float
    learning_rate: float


@dataclass(frozen=True, eq=False)
class Scores(Event):
    """Importance of each matrix `(n,)` between rank events, for methods that have one at every step."""

    kind: ClassVar[str] = "scores"
    arrays: ClassVar[dict[str, str]] = {"scores": "<f4"}
    scores: NDArray[np.float32] = field(default_factory=_f4)


SAVED = "saved"
"""Rule of a rank event that is none: it tells ranks that no decision led to, those of an adapter that was imported, or
those that a run starts with where they are not all equal. It changes nothing, and is the first of its run."""
MEASURED = "measured"
"""Rule of a rank event that is none: a method without a rank of its own was measured, and its ranks are the effective
ranks of dW from here on."""
UNDECIDED = (SAVED, MEASURED)
"""Rules of rank events that nobody decided."""


@dataclass(frozen=True, eq=False)
class RankEvent(Event):
    """An allocation. Arrays are per matrix `(n,)` in the order of `Started.matrices`, but for `unit_scores` and
    `unit_matrix` `(u,)`: scores of parts of matrices (AdaLoRA's triplets) and the matrix each belongs to. Of a run from
    elsewhere `scores` may be empty, the threshold NaN, and `allowed`, parameters and bytes 0: not recorded."""

    kind: ClassVar[str] = "rank"
    arrays: ClassVar[dict[str, str]] = {
        "scores": "<f4", "ranks": "<u2", "before": "<u2", "unit_scores": "<f4", "unit_matrix": "<u2",
    }  # fmt: skip
    rule: str
    threshold: float
    allowed: int
    chosen: list[int]
    total_rank: int
    trainable_parameters: int
    optimizer_bytes: int
    scores: NDArray[np.float32] = field(default_factory=_f4)
    ranks: NDArray[np.uint16] = field(default_factory=_u2)
    before: NDArray[np.uint16] = field(default_factory=_u2)
    unit_scores: NDArray[np.float32] = field(default_factory=_f4)
    unit_matrix: NDArray[np.uint16] = field(default_factory=_u2)


def decided(event: RankEvent) -> bool:
    """Whether a decision led to the ranks that it tells; they were neither saved with an adapter nor measured."""
    return event.rule not in UNDECIDED


def saved_ranks(ranks: NDArray[np.uint16], parameters: int) -> RankEvent:
    """The event that tells `ranks` `(n,)` which no decision led to. parameters: trainable ones."""
    return _undecided(0, SAVED, ranks, ranks, parameters, 0)


def measured_ranks(
    step: int, before: NDArray[np.uint16], ranks: NDArray[np.uint16], parameters: int, optimizer_bytes: int
) -> RankEvent:
    """The event that tells effective ranks `(n,)` measured after `step`, and those known before."""
    return _undecided(step, MEASURED, before, ranks, parameters, optimizer_bytes)


def _undecided(
    step: int, rule: str, before: NDArray[np.uint16], ranks: NDArray[np.uint16], parameters: int, optimizer_bytes: int
) -> RankEvent:
    return RankEvent(
        step=step, rule=rule, threshold=math.nan, allowed=0, chosen=[], total_rank=int(ranks.sum()),
        trainable_parameters=parameters, optimizer_bytes=optimizer_bytes, ranks=ranks, before=before,
    )  # fmt: skip


@dataclass(frozen=True)
class Evaluation(Event):
    """Metrics on held-out data: `metrics[Started.metric]` and `metrics["loss"]` at least."""

    kind: ClassVar[str] = "evaluation"
    metrics: dict[str, float]


@dataclass(frozen=True)
class Baseline(Event):
    """A value of the metric that needs no adapter, such as `majority` or `head alone`."""

    kind: ClassVar[str] = "baseline"
    name: str
    value: float


@dataclass(frozen=True, eq=False)
class Geometry(Event):
    """Shapes inside the adapters, per matrix and concatenated in order: `ranks` `(n,)`; `singular` the singular values
    of dW, `ranks[i]` values each; `core` what stands between A and B (see `Started.core_kind`)."""

    kind: ClassVar[str] = "geometry"
    arrays: ClassVar[dict[str, str]] = {"ranks": "<u2", "singular": "<f4", "core": "<f4"}
    ranks: NDArray[np.uint16] = field(default_factory=_u2)
    singular: NDArray[np.float32] = field(default_factory=_f4)
    core: NDArray[np.float32] = field(default_factory=_f4)


@dataclass(frozen=True)
class Warned(Event):
    """Something the user should know, with what to change."""

    kind: ClassVar[str] = "warning"
    code: str
    message: str
    advice: str


@dataclass(frozen=True)
class Checkpointed(Event):
    """A checkpoint that holds the state after `step` was written to `file` (a name in the run's checkpoint folder)."""

    kind: ClassVar[str] = "checkpoint"
    file: str


@dataclass(frozen=True)
class Finished(Event):
    """The run reached its last step."""

    kind: ClassVar[str] = "finished"
    metrics: dict[str, float]


@dataclass(frozen=True)
class Stopped(Event):
    """The run was stopped by request and can be resumed."""

    kind: ClassVar[str] = "stopped"
    reason: str


@dataclass(frozen=True)
class Failed(Event):
    """The run ended by an error."""

    kind: ClassVar[str] = "failed"
    error: str
    traceback: str = ""


EVENTS: dict[str, type[Event]] = {
    cls.kind: cls
    for cls in (
        Started, Step, Scores, RankEvent, Evaluation, Baseline, Geometry, Warned, Checkpointed, Finished, Stopped,
        Failed,
    )
}  # fmt: skip


@dataclass(frozen=True)
class Stamped:
    """An event as stored: its sequence number, seconds since the run first started, and the event."""

    seq: int
    time: float
    event: Event


def encode(event: Event) -> tuple[str, bytes]:
    """Body and arrays of an event, the same for equal events.

    Returns JSON text of the plain fields (with `lengths` of the arrays, in the order of `arrays`) and the arrays' bytes
    one after another. Raises ValueError when an array does not fit its type.
    """
    if type(event) is Step:  # the hot path: one a step
        return f'{{"loss":{_number(event.loss)},"learning_rate":{_number(event.learning_rate)}}}', b""
    arrays = event.arrays
    body = {f.name: getattr(event, f.name) for f in fields(event) if f.name not in arrays and f.name != "step"}
    if isinstance(event, Started):
        body["matrices"] = [asdict(matrix) for matrix in event.matrices]
    chunks = [_packed(name, getattr(event, name), dtype) for name, dtype in arrays.items()]
    if chunks:
        body["lengths"] = [len(chunk) for chunk in chunks]
    return json.dumps(body, separators=(",", ":")), b"".join(chunk.tobytes() for chunk in chunks)


def _packed(name: str, value: Any, dtype: str) -> NDArray[Any]:
    given = np.asarray(value)
    if given.ndim != 1 or given.dtype.kind not in "buif":
        raise ValueError(f"{name}: an array of numbers with one dimension is needed, not {given.dtype} {given.shape}")
    packed = np.ascontiguousarray(given, dtype=dtype)
    # NumPy wraps counts that are too large and cuts fractions without a word.
    if packed.dtype.kind == "u" and packed.dtype != given.dtype and not np.array_equal(packed, given):
        raise ValueError(f"{name}: {value!r} does not fit {packed.dtype}")
    return packed


def _number(value: float) -> str:
    return json.dumps(float(value))


def decode(kind: str, step: int, body: str, blob: bytes) -> Event:
    """Inverse of `encode`. Raises ValueError naming what is wrong when the data is not an event."""
    if kind == Step.kind and not blob:  # the hot path: most of what is read
        try:
            values, end = _read(body)
            if end == len(body) and len(values) == 2:
                return Step(step, values["loss"], values["learning_rate"])
        except (TypeError, KeyError, ValueError, RecursionError):
            pass  # not as `encode` writes it; the general way tells whether it is an event all the same
    return _decoded(kind, step, body, blob)


_read = json.JSONDecoder().raw_decode


def _decoded(kind: str, step: int, body: str, blob: bytes) -> Event:
    """`decode` for every kind."""
    cls = EVENTS.get(kind)
    if cls is None:
        raise ValueError(f"unknown event kind {kind!r}; known: {', '.join(EVENTS)}")
    try:
        values = json.loads(body)
        lengths = values.pop("lengths", [])
        offset = 0
        for (name, dtype), length in zip(cls.arrays.items(), lengths, strict=True):
            if length < 0:
                raise ValueError(f"{name} has length {length}")
            values[name] = np.frombuffer(blob, dtype=dtype, count=length, offset=offset)
            offset += values[name].nbytes
        if offset != len(blob):
            raise ValueError(f"{len(blob)} bytes of arrays where {offset} are named")
        if cls is Started:
            values["matrices"] = [Matrix(**{**m, "shape": tuple(m["shape"])}) for m in values["matrices"]]
        return cls(step=step, **values)
    except (TypeError, KeyError, AttributeError, ValueError, RecursionError) as error:
        raise ValueError(f"not a valid {kind!r} event: {error}") from error
