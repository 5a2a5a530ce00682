"""The configurations of Tied-LoRA and what each trains. Free of torch."""

from __future__ import annotations

from collections.abc import Sequence

LETTERS = "vBuA"
"""The factors of dW = s diag(v) B diag(u) A, in the paper's order."""


def check_trains(trains: str) -> None:
    """Raise ValueError unless `trains` is some of the letters v, B, u, A, at least one, in this order."""
    wanted = "".join(letter for letter in LETTERS if letter in trains)
    if trains and trains == wanted:
        return
    unknown = ", ".join(sorted(set(trains) - set(LETTERS)))
    known = "must be some of the letters v, B, u, A, each once and in this order"
    reason = f"{known}; there is no {unknown}" if unknown else known
    raise ValueError(f"trains = {trains!r}: {reason}; {f'write {wanted}' if wanted else 'name at least one'}")


def zero_at_start(trains: str) -> str:
    """The letter that starts at 0, so that dW = 0: B if it is trained, else v, else A, else u."""
    return next(letter for letter in "BvAu" if letter in trains)


def trained_entries(trains: str, rank: int, shapes: Sequence[tuple[int, int]]) -> int:
    """Trainable entries over matrices of `shapes`, each `(out, in)`.

    A pair of factors counts once for each distinct shape: `r in` if A is trained, `r out` if B is. The vectors count
    for every matrix: `out` if v is trained, `r` if u is.
    """
    pairs = sum(rank * (int("A" in trains) * inner + int("B" in trains) * out) for out, inner in set(shapes))
    return pairs + sum(int("v" in trains) * out + int("u" in trains) * rank for out, _ in shapes)
