"""Results that came with the package: `triadapt/recorded/pareto.json`, read and written here alone.

    {"version": 1, "studies": [
      {"slug", "title", "what", "command", "machine", "metric", "higher_is_better", "results": [
        {"method", "settings", "seed", "value", "parameters", "memory", "step_seconds", "counts"}, ...
      ]}, ...]}

What was not recorded is null; memory is in bytes. Fields as of `Kind` and `Result`.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from triadapt.runs.info import RunError
from triadapt.views.methods.result import Kind, Result

FILE = "pareto.json"
VERSION = 1
_OF_STUDY = ("title", "what", "command", "machine", "metric", "higher_is_better")
_OF_RESULT = ("method", "settings", "seed", "value", "parameters", "memory", "step_seconds", "counts")


@functools.cache
def recorded_kinds() -> tuple[Kind, ...]:
    """The recorded studies, in the order of the file; none where it is damaged."""
    try:
        return tuple(read_studies(resources.files("triadapt.recorded").joinpath(FILE).read_text(encoding="utf-8")))
    except (OSError, RunError):
        return ()


def read_studies(text: str) -> list[Kind]:
    """Studies of a text in the format above. Raises RunError."""
    try:
        data = json.loads(text)
        if data["version"] != VERSION:
            raise RunError(f"{FILE}: version {data['version']!r}; this program reads {VERSION}")
        return [_study(study) for study in data["studies"]]
    except (ValueError, TypeError, KeyError) as error:
        if isinstance(error, RunError):
            raise
        raise RunError(f"{FILE}: not what it should be ({type(error).__name__}: {error})") from error


def studies_text(kinds: Sequence[Kind]) -> str:
    """Studies as text that `read_studies` reads back; a line a result."""
    blocks = []
    for kind in kinds:
        head = json.dumps({"slug": kind.key} | {name: getattr(kind, name) for name in _OF_STUDY}, indent=1)
        rows = [
            json.dumps({name: _rounded(getattr(result, name)) for name in _OF_RESULT}, separators=(",", ":"))
            for result in kind.results
        ]
        blocks.append(head.removesuffix("\n}") + ',\n "results": [\n  ' + ",\n  ".join(rows) + "\n ]\n}")
    return f'{{"version": {VERSION}, "studies": [\n' + ",\n".join(blocks) + "\n]}\n"


def write_study(path: Path, kind: Kind) -> None:
    """Put a study into the file, in the place of one of the same key. Raises RunError, OSError."""
    studies = read_studies(path.read_text(encoding="utf-8")) if path.exists() else []
    keys = [study.key for study in studies]
    if kind.key in keys:
        studies[keys.index(kind.key)] = kind
    else:
        studies.append(kind)
    path.write_text(studies_text(studies), encoding="utf-8")


def _study(study: dict[str, Any]) -> Kind:
    return Kind(
        key=str(study["slug"]), results=tuple(Result(**row) for row in study["results"]), recorded=True,
        **{name: study[name] for name in _OF_STUDY},
    )  # fmt: skip


def _rounded(value: Any) -> Any:
    return float(f"{value:.6g}") if isinstance(value, float) else value
