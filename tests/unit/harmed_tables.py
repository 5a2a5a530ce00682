"""Tables that were harmed, the same way for the same number."""

import csv
import json
import random
from pathlib import Path

import pandas as pd

NASTY = ["", "\0", "../../etc/passwd", "=1+1", "<b>x</b>", "NaN", "1e999", "9" * 400, "a,b\n\"c",
         "\u202e", "null", "[]", "{}", "-0", "[x](http://a)"]  # fmt: skip


def harmed(number: int, folder: Path) -> Path:
    """A file of rows in one of four formats, with something wrong in it."""
    draw = random.Random(number)
    count = draw.choice([0, 5, 40, 150, 200, 250])
    rows: list[dict[str, object]] = [{"text": f"row {i} of {count}", "label": ("a", "b")[i % 2]} for i in range(count)]
    for _ in range(draw.randrange(12)):
        if rows:
            row = draw.choice(rows)
            name = draw.choice(["text", "label", *NASTY])
            row[name] = draw.choice([*NASTY, None, 3, 2.5, True, [1], {"a": 1}, 10**30])
    kind = draw.choice([".csv", ".tsv", ".jsonl", ".parquet"])
    path = folder / f"rows-{number}{kind}"
    if kind == ".jsonl":
        path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    elif kind == ".parquet":
        plain = [{ascii(name): ascii(value) for name, value in row.items()} for row in rows]
        pd.DataFrame(plain).rename(columns={"'text'": "text", "'label'": "label"}).to_parquet(path)
    else:
        names = list(dict.fromkeys(name for row in rows for name in row))
        with path.open("w", encoding="utf-8", errors="surrogatepass", newline="") as file:
            writer = csv.DictWriter(file, names, delimiter="\t" if kind == ".tsv" else ",")
            writer.writeheader()
            writer.writerows(rows)
    content = bytearray(path.read_bytes())
    for _ in range(draw.choice([0, 0, 1, 3, 20])):
        if content:
            content[draw.randrange(len(content))] = draw.randrange(256)
    if draw.random() < 0.3:
        content = content[: draw.randrange(len(content) + 1)]
    path.write_bytes(bytes(content))
    return path
