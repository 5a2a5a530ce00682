"""What the defaults rest on: initialisation, scale, growth mode, behaviour and method at equal budget, over seeds.

Every finished run is a line of a results file; what is there is not run again. `--tables` only makes the tables.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.evidence_plan import GRIDS, plan
from benchmarks.evidence_runs import execute, expected_minutes, load
from benchmarks.evidence_tables import TABLES, Runs

PARTS = tuple(GRIDS)
RESULTS = Path(__file__).with_name("results") / "evidence.jsonl"


def main() -> int:
    """Run what is missing, then print the tables or put them into a document."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.evidence", description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="which parts (default: all)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="file of finished runs (default: %(default)s)")
    parser.add_argument("--seeds", type=int, help="seeds of each part, in place of its own number")
    parser.add_argument("--tables", action="store_true", help="run nothing, make tables of what is there")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the tables into this document")
    parser.add_argument("--quick", action="store_true", help="2 seeds, few steps: to see that it works")
    options = parser.parse_args()
    if options.quick and options.results == RESULTS:
        options.results = RESULTS.with_name("evidence-quick.jsonl")
    planned = plan(tuple(options.parts), seeds=options.seeds, quick=options.quick)
    done = load(options.results)
    if not options.tables:
        minutes = expected_minutes(planned, done)
        left = len({item.key for item in planned} - set(done))
        print(
            f"{left} of {len({item.key for item in planned})} runs to do, about {minutes:.0f} minutes",
            file=sys.stderr,
            flush=True,
        )
        done = execute(planned, options.results)
    for part in options.parts:
        tables = TABLES[part](Runs([item for item in planned if item.part == part], done))
        text = "\n\n".join(table.markdown() for table in tables)
        if options.write is None:
            print(text, end="\n\n")
        else:
            put(options.write, f"evidence_{part}", text)
    return 0


def put(document: Path, name: str, text: str) -> None:
    """Put `text` between the marks of `name`. Raises RuntimeError when the document has none."""
    old = document.read_text(encoding="utf-8")
    first, last = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    if first not in old or last not in old:
        raise RuntimeError(f"{document}: no lines `{first.strip()}` and `{last}` to put the tables between")
    head, tail = old.split(first, 1)[0], old.split(last, 1)[1]
    document.write_text(f"{head}{first}\n{text}\n\n{last}{tail}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
