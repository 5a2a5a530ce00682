"""A training must not end because it is watched: an error ends the recording, with one warning."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from functools import wraps
from typing import Any, Protocol


class Recording(Protocol):
    """What can be given up. over: nothing is recorded any more."""

    _over: bool

    def _give_up(self, error: Exception) -> None: ...


def never_breaks(method: Callable[..., None]) -> Callable[..., None]:
    """A method of a recording that gives it up instead of raising, and does nothing once it is over."""

    @wraps(method)
    def guarded(self: Recording, *args: Any, **given: Any) -> None:
        if self._over:
            return
        try:
            method(self, *args, **given)
        except Exception as error:
            self._give_up(error)

    return guarded


def warn_of_the_end(error: Exception) -> None:
    """Say that the recording ends and why, at the line of the training that called what gave up."""
    text = f"RankRecorder: the recording ends, the training goes on: {error}"
    try:
        warnings.warn(text, stacklevel=4)
    except Warning:  # warnings are errors here, and this is none of the training's
        logging.getLogger(__name__).warning(text)
