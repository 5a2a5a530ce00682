"""What a method is, for whoever chooses one: formula, size, what moves and what stands still. Free of torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Card:
    """One method at a glance; every text is one or two plain sentences.

    formula: dW of a matrix `(out, in)`. parameters: trainable entries of it, as a formula. adapts: what is trained, and
    what changes during training. fixed: what is frozen or chosen once. choose: when to. avoid: when not to. paper: its
    title. source: its address. notes: what this implementation does otherwise.
    """

    formula: str
    parameters: str
    adapts: str
    fixed: str
    choose: str
    avoid: str
    paper: str
    source: str
    notes: tuple[str, ...] = ()
