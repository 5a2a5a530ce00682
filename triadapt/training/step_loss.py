"""The loss of an optimizer's step that somebody else takes, from the losses of its parts as they are seen."""

from __future__ import annotations

import torch

MOST_PARTS = 1023


class StepLoss:
    """Collects the losses of a step's parts on their device. Where the loop tells its loss, what the model returns
    does not count."""

    def __init__(self) -> None:
        self._parts: list[torch.Tensor] = []
        self._told = self._summed = self._in_step = False
        self._before_step = 0

    def tell(self, value: torch.Tensor | float) -> None:
        """The loop's own word on one part."""
        given = value.detach() if isinstance(value, torch.Tensor) else torch.tensor(float(value))
        self._parts = [*self._parts, given] if self._told else [given]
        self._told = True

    def see(self, loss: torch.Tensor, *, share: bool, first: bool) -> None:
        """What the model returned for one part; `share` and `first` as in `SawLoss`."""
        if self._told:
            return
        if first and not self._in_step:
            self._parts.clear()  # those of a step that was never taken
        self._parts = [*self._parts[-MOST_PARTS:], loss.detach()]
        self._summed = share

    def step_begins(self) -> None:
        """With a closure, losses that come from now on are of the same rows, and the first of them is that before the
        update."""
        self._in_step, self._before_step = True, len(self._parts)

    def forget(self) -> None:
        """Those of a step that a gradient scaler has skipped."""
        self._parts.clear()

    def take(self, share_factor: int) -> torch.Tensor | None:
        """The loss of the step that was taken, and begin the next; None if none was seen. share_factor: times what the
        sum of shares is multiplied."""
        parts = self._parts[self._before_step :][:1] or self._parts
        self._told = self._in_step = False
        self._before_step, self._parts = 0, []
        if not parts:
            return None
        losses = torch.stack([part.float().reshape(()) for part in parts])
        return losses.sum() * share_factor if self._summed else losses.mean()
