"""All benchmarks, one after another. `--write docs/performance.md` puts the tables that have a place there into a
document: between the lines `<!-- NAME -->` and `<!-- end of NAME -->`."""

from __future__ import annotations

import argparse
import re
import sys
from importlib import import_module
from pathlib import Path

from benchmarks.tables import Table, add_options, document_part, show

NAMES = (
    "train_speed",
    "step_time",
    "recording",
    "board",
    "compare",
    "lab",
    "what_if",
    "recorder",
    "scale",
    "classroom",
)


def main() -> int:
    """Run those asked for. Exit code 1 when one could not measure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Run the benchmarks.")
    parser.add_argument("--only", action="append", choices=NAMES, help="one of them; may be given again")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the tables into this document")
    add_options(parser)
    options = parser.parse_args()
    code = 0
    for name in options.only or NAMES:
        print(f"benchmarks.{name} ...", file=sys.stderr, flush=True)
        try:
            tables = import_module(f"benchmarks.{name}").measure(options.quick)
        except RuntimeError as error:
            print(f"benchmarks.{name}: {error}", file=sys.stderr)
            code = 1
            continue
        show(name, tables, options)
        print(flush=True)
        if options.write is not None and (options.only or f"<!-- {name} -->" in options.write.read_text("utf-8")):
            write(options.write, name, tables)
    return code


def write(document: Path, name: str, tables: list[Table]) -> None:
    """Replace the tables of one benchmark in a document. Raises RuntimeError when it has no place for them."""
    text = document.read_text(encoding="utf-8")
    place = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
    if not place.search(text):
        raise RuntimeError(f"{document}: no line `<!-- {name} -->` to put the tables at")
    changed = place.sub(lambda found: f"{found[1]}\n{document_part(tables)}\n\n{found[2]}", text)
    document.write_text(changed, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
