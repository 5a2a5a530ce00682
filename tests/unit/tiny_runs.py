"""Runs small enough to be trained many times over in a test."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from triadapt.config import RunConfig, parse_config
from triadapt.events import Event
from triadapt.methods.interface import RankDecision
from triadapt.training.session import Session

SIZE = {"blocks": 1, "width": 16, "heads": 2, "tokens": 4, "pool": 64, "held_out": 16, "planted_rank": 3}


def tiny(method: str, **values: Any) -> RunConfig:
    """A planted run of 40 steps over 6 matrices, whose budget is reached well before the end."""
    shared = {"steps": 40, "warmup": 3, "interval": 3, "batch_size": 16, "device": "cpu", "growth": "non-linear"}
    # In 4 bits a CPU reads weights right only where rows are whole blocks of 64.
    size = {**SIZE, "width": 64} if method == "qlora" else SIZE
    recorded = {"eval_every": 10, "scores_every": 2, "geometry_every": 10, "reference_rank": 3}
    return parse_config({**shared, **recorded, "planted": size, **values, "method": method})


def opened(config: RunConfig, folder: Path | None = None) -> Session:
    session = Session(config, folder=folder)
    session.open()
    return session


def advance(session: Session, steps: int) -> list[Event]:
    return [event for _ in range(steps) for event in session.advance()]


def finish(session: Session) -> list[Event]:
    return advance(session, session.config.steps - session.step)


@torch.no_grad()
def outputs(session: Session) -> torch.Tensor:
    """What the adapted network makes of one fixed batch."""
    given: torch.Tensor = session.model(session.task.batch(0)[0])
    return given.clone()


def around_events(session: Session, look: Callable[[Session], torch.Tensor]) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Filled, as the session advances, with what `look` sees right before and right after each rank event."""
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    after_step = session.method.after_step

    def watched(step: int) -> RankDecision | None:
        before = look(session)
        decision = after_step(step)
        if decision is not None and decision.chosen:
            seen.append((before, look(session)))
        return decision

    session.method.after_step = watched  # type: ignore[method-assign]
    return seen


def backward(session: Session) -> None:
    """Gradients of the plain loss at the present state."""
    session.optimizer.zero_grad(set_to_none=True)
    loss = session.task.loss(session.model, session.task.batch(session.step))
    loss.backward()  # type: ignore[no-untyped-call]
