"""The first rows of a dataset of the hub, as JSON: `python -m triadapt.tasks.hub.peek '{"dataset": ...}'`.

A process of its own, for the libraries that read datasets load what the process of the pages does without.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from triadapt.config import parse_config
from triadapt.errors import ConfigError

MOST_SECONDS = 300


def peek(values: dict[str, Any]) -> dict[str, Any]:
    """Whatever `main` prints for the settings `values`: `columns`, `rows` of the head, `warnings`, `balance`, or
    `lines` on what is wrong. Runs it and waits."""
    command = [sys.executable, "-m", "triadapt.tasks.hub.peek", json.dumps(values)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=MOST_SECONDS, check=False)
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        return {"lines": [f"hub.dataset = {values.get('dataset')!r}: no answer in {MOST_SECONDS} s; try again later"]}
    except (IndexError, ValueError, OSError):
        told = done.stderr.strip().splitlines()[-1:] if "done" in locals() else []
        return {"lines": [f"hub.dataset = {values.get('dataset')!r}: cannot be read ({''.join(told)[:200]})"]}
    return found


def main(text: str) -> int:
    """Print what is to be seen of a dataset. Returns 0."""
    from triadapt.tasks.hub.reading import tables_of  # noqa: PLC0415  (the other side of the wall)
    from triadapt.tasks.hub.settings import Settings  # noqa: PLC0415
    from triadapt.tasks.labelled.look import look  # noqa: PLC0415
    from triadapt.tasks.labelled.table import labelled_text  # noqa: PLC0415

    found: dict[str, Any] = {}
    try:
        settings = parse_config({"task": "hub", "hub": json.loads(text)}).task_settings
        assert isinstance(settings, Settings)
        tables, _ = tables_of(settings)
        found["columns"] = [str(name) for name in tables.train.columns]
        found["head"] = json.loads(tables.train.head(8).to_json(orient="records", default_handler=str))
        seen = look(labelled_text(tables, settings))
        found |= {"rows": seen.rows, "balance": seen.balance, "warnings": seen.warnings(), "words": seen.words}
    except ConfigError as error:
        found["lines"] = error.lines
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
