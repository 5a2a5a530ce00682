"""Which of many texts are held out where nobody says so."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

SHARE = 10
"""One in so many."""


def held_out(texts: Sequence[str]) -> list[bool]:
    """For each text whether it is held out: one in ten of the different ones and at least one, by their hashes, so that
    equal texts are on one side and nothing depends on the order."""
    digests = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in texts]
    different = sorted(set(digests))
    chosen = set(different[: max(1, len(different) // SHARE)])
    return [digest in chosen for digest in digests]
