"""What is going on before training begins, in words: whoever waits for it may listen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_LISTENER: ContextVar[Callable[[str], None] | None] = ContextVar("listener", default=None)


@contextmanager
def told_to(listener: Callable[[str], None]) -> Iterator[None]:
    """Within the block, `listener` is called with what `tell` says."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


def listener() -> Callable[[str], None]:
    """Whoever listens here, for other threads to tell; nobody, if none."""
    return _LISTENER.get() or (lambda text: None)


def tell(text: str) -> None:
    """Say what is going on."""
    listener()(text)
