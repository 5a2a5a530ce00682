"""Layer and short place name of an adapted layer, from its path in the model. Free of torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from triadapt.block_path import block_of

NAMELESS = ("dense", "linear", "proj", "fc")
"""Last parts of a path that say nothing of a place."""
IN_ORDER = ("query", "q", "key", "k", "value", "v", "attn.out", "o", "out_proj", "inter", "gate", "up", "down", "out")
"""Places as the layers of a model usually follow one another, for files that sort by name."""
SPOKEN = {"attention": "attn", "self_attn": "attn", "output": "out", "intermediate": "inter"}


def places(paths: Sequence[str]) -> list[tuple[int, str]]:
    """`(layer, module)` of each path.

    The layer is the first number in the path, 0 where there is none; the module is what follows it, as short as it can
    be without meaning two places: `query` for `attention.self.query`, `attn.out` for `attention.output.dense`, `q` for
    `q_proj`.
    """
    found = []
    for path in paths:
        layer, inside = block_of(path) or (0, "")
        found.append((layer, inside or path))
    called = short_names([inside for _, inside in found])
    return [(layer, called[inside]) for layer, inside in found]


def short_names(paths: Iterable[str]) -> dict[str, str]:
    """For each path the shortest name that no other has: its ending in whole parts, said as people say it where that is
    enough to tell all apart."""
    whole = list(dict.fromkeys(paths))
    spoken = {path: [_spoken(part) for part in _telling(path.split("."))] for path in whole}
    if len({".".join(parts) for parts in spoken.values()}) < len(whole):
        spoken = {path: path.split(".") for path in whole}
    shared = Counter(ending for parts in spoken.values() for ending in _endings(parts))
    return {
        path: next((ending for ending in _endings(parts) if shared[ending] == 1), ".".join(parts))
        for path, parts in spoken.items()
    }


def _endings(parts: list[str]) -> list[str]:
    return [".".join(parts[-size:]) for size in range(1, len(parts) + 1)]


def _telling(parts: list[str]) -> list[str]:
    return parts[:-1] if len(parts) > 1 and parts[-1] in NAMELESS else parts


def _spoken(part: str) -> str:
    return SPOKEN.get(part) or (part.removesuffix("_proj") if part not in ("_proj", "c_proj") else part)
