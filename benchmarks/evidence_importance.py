"""Which numbers tell, during training, where rank is planted, and where ranks go when they are steered by them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.evidence_runs import Result, outcome
from benchmarks.evidence_stats import auc
from triadapt.config import RunConfig
from triadapt.methods.peft_run import PeftRun
from triadapt.training.session import Session

BATCHES = 16
Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Gradients:
    """dLoss/d(dW) of every matrix `(out, in)`: of one batch, the mean over `BATCHES`, and the deviation around it."""

    one: list[torch.Tensor]
    mean: list[torch.Tensor]
    noise: list[float]


def updates(method: PeftRun) -> list[torch.Tensor]:
    """dW of every matrix, `(out, in)`."""
    result = []
    for index in range(len(method.layers)):
        B, core, A, _ = method.factors(index)
        result.append(((B if core is None else B @ core) @ A).detach())
    return result


def gradients(session: Session) -> Gradients:
    """Gradients at the weights as they are, from the batches of the next steps."""
    method = session.method
    assert isinstance(method, PeftRun)
    model, weights = session.task.build_model(), []
    for matrix, delta in zip(session.matrices, updates(method), strict=True):
        weight: Any = model.get_submodule(matrix.name).weight
        weight.data.add_(delta)
        weights.append(weight.requires_grad_(True))
    draws = []
    for ahead in range(BATCHES):
        loss = session.task.loss(model, session.task.batch(session.step + ahead))
        draws.append(torch.autograd.grad(loss, weights))
    of_each = [torch.stack(parts) for parts in zip(*draws, strict=True)]
    return Gradients(
        [parts[0] for parts in of_each],
        [parts.mean(dim=0) for parts in of_each],
        [float(parts.var(dim=0).sum().sqrt()) for parts in of_each],
    )


def norms(tensors: list[torch.Tensor]) -> Scores:
    """Frobenius norm of each."""
    return np.array([float(tensor.norm()) for tensor in tensors])


def outside(method: PeftRun, index: int, gradient: torch.Tensor) -> torch.Tensor:
    """The part of a gradient that neither the columns of B nor the rows of A reach: what only new rank could use."""
    B, _, A, _ = method.factors(index)
    left: torch.Tensor = torch.linalg.qr(B.detach()).Q
    right: torch.Tensor = torch.linalg.qr(A.detach().T).Q
    rest = gradient - left @ (left.T @ gradient)
    return rest - (rest @ right) @ right.T


def core_norms(method: PeftRun) -> Scores:
    """`||L + U||_F`."""
    return norms([layer.core("default").detach() for layer in method.layers])


def all_scores(session: Session) -> dict[str, Scores]:
    """Every importance that this method's state allows, by name."""
    method = session.method
    assert isinstance(method, PeftRun)
    found, deltas = gradients(session), updates(method)
    own = method.scores()
    assert own is not None
    scores = {"its own score": own.astype(np.float64)}
    if method.core_kind == "triangular":
        scores["||L + U||"] = core_norms(method)
    products = [delta * gradient for delta, gradient in zip(deltas, found.mean, strict=True)]
    return scores | {
        "||dW||": norms(deltas),
        "||G||, one batch": norms(found.one),
        "||G||, 16 batches": norms(found.mean),
        "||G|| outside A, B": norms([outside(method, index, g) for index, g in enumerate(found.mean)]),
        "||G|| over its noise": norms(found.mean) / np.array(found.noise),
        "sum |dW G|": np.array([float(p.abs().sum()) / p.numel() ** 0.5 for p in products]),
    }


def separation(config: RunConfig) -> Result:
    """AUC of every importance at the first event and half-way, as `{"first": {name: auc}, "half": ...}`.

    `own` is the method's own score at the first event: mean over planted matrices, over others, deviation among others.
    """
    torch.set_num_threads(1)
    session = Session(config)
    session.open()
    planted = [bool(matrix.planted_rank) for matrix in session.matrices]
    first = (config.warmup // config.interval + 1) * config.interval
    result: Result = {}
    for name, step in {"first": first, "half": config.steps // 2}.items():
        while session.step < step:
            session.advance()
        scores = all_scores(session)
        result[name] = {key: round(auc(values, planted), 4) for key, values in scores.items()}
        if name == "first":
            own, truth = scores["its own score"], np.array(planted)
            found = (own[truth].mean(), own[~truth].mean(), own[~truth].std())
            result["own"] = [float(f"{value:.4g}") for value in found]
    return result


# Steering: TriAdaptLoRA as it is, but the matrices that grow are chosen by another number.


def drawn(session: Session) -> Scores:
    """No information."""
    return np.random.default_rng((session.config.seed, session.step)).random(len(session.matrices))


def missing(session: Session) -> Scores:
    """What is missing of the planted rank."""
    planted = np.array([matrix.planted_rank or 0 for matrix in session.matrices], dtype=np.float64)
    return planted - session.method.ranks()


def size_of_update(session: Session) -> Scores:
    """`||dW||_F`."""
    method = session.method
    assert isinstance(method, PeftRun)
    return norms(updates(method))


def size_a_rank(session: Session) -> Scores:
    """`||dW||_F` over the rank."""
    return np.asarray(size_of_update(session) / session.method.ranks(), dtype=np.float64)


def size_of_core(session: Session) -> Scores:
    """`||L + U||_F`."""
    method = session.method
    assert isinstance(method, PeftRun)
    return core_norms(method)


def steadiness(session: Session) -> Scores:
    """`||mean G||` over the deviation of G between batches."""
    found = gradients(session)
    return np.asarray(norms(found.mean) / np.array(found.noise), dtype=np.float64)


class Rebased:
    """The rise of the published importance, but measured from where growth left it, so that growing costs nothing."""

    def __init__(self) -> None:
        self.base: Scores | None = None

    def __call__(self, session: Session) -> Scores:
        method: Any = session.method
        values = core_norms(method)
        if self.base is None:
            self.base = np.ones_like(values)  # with init identity every core starts as 1
            method.after_growth = lambda: setattr(self, "base", core_norms(method))
        return values - self.base


STEERED: dict[str, Callable[[], Callable[[Session], Scores]]] = {
    "rise of ||L + U||, growth not counted": Rebased,
    "||L + U||": lambda: size_of_core,
    "||dW||": lambda: size_of_update,
    "||dW|| over the rank": lambda: size_a_rank,
    "||G|| over its noise": lambda: steadiness,
    "at random": lambda: drawn,
    "the truth": lambda: missing,
}


def steered(config: RunConfig, name: str) -> Result:
    """A run of TriAdaptLoRA that grows by the importance `name`."""
    torch.set_num_threads(1)
    session = Session(config)
    score = STEERED[name]()
    method: Any = session.method
    method.event_scores = lambda: score(session).astype(np.float32)

    def events() -> Any:
        yield from session.open()
        while not session.done:
            yield from session.advance()

    return outcome(events())
