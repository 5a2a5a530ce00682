"""Questions of files or of a dataset of the hub: both sides, checked. Whatever is wrong is one line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from triadapt.errors import ConfigError
from triadapt.tasks.existing_file import existing_file, stamp
from triadapt.tasks.held_out import held_out
from triadapt.tasks.hub.split import load_split
from triadapt.tasks.qa.questions import Question, checked, of_articles, of_rows
from triadapt.tasks.qa.settings import KINDS, Settings

LEAST = 8
GLANCE_ROWS, GLANCE_BYTES = 2000, 16 * 1024**2


@dataclass(frozen=True)
class Questions:
    """Both sides, a hash of all, and what else makes them reproducible."""

    train: list[Question]
    dev: list[Question]
    sha256: str
    facts: dict[str, Any] = field(default_factory=dict)


def read_questions(settings: Settings) -> Questions:
    """What the settings name. Without held-out questions one context in ten is held out. Raises ConfigError."""
    if settings.dataset:
        train, dev, facts = _of_hub(settings)
    else:
        train, dev = _of_files(settings)
        facts = {"files": {"train": Path(settings.train).name, "dev": Path(settings.dev).name}}
    known = {(question.context, question.question) for question in train}
    both = [[asdict(question) for question in side] for side in (train, dev)]
    facts |= {
        "without_answer": {side: sum(not q.answers for q in rows) for side, rows in (("train", train), ("dev", dev))},
        "held_out_questions_seen_in_training": sum((q.context, q.question) in known for q in dev),
    }
    return Questions(train, dev, hashlib.sha256(json.dumps(both).encode()).hexdigest(), facts)


def glance(settings: Settings) -> list[str]:
    """What is wrong with the files, as far as the first 2,000 rows or files of up to 16 MB tell. Cheap, and free where
    they did not change. Of a dataset of the hub nothing."""
    if settings.dataset or settings.check(None):
        return []
    return list(_glance(settings, (stamp(settings.train), stamp(settings.dev))))


@lru_cache(maxsize=32)
def _glance(settings: Settings, stamps: tuple[object, ...]) -> tuple[str, ...]:
    try:
        paths = [_path(side, name) for side, name in (("train", settings.train), ("dev", settings.dev)) if name]
        if all(path.stat().st_size <= GLANCE_BYTES for path in paths):
            _of_files(settings)
            return ()
        for side, path in zip(("train", "dev"), paths, strict=False):
            what = f"qa.{side} = {getattr(settings, side)!r}"
            if path.suffix.lower() == ".jsonl":
                checked(islice(_questions(path, what), GLANCE_ROWS), what, LEAST)
    except ConfigError as error:
        return tuple(error.lines)
    return ()


def _of_files(settings: Settings) -> tuple[list[Question], list[Question]]:
    train_is = f"qa.train = {settings.train!r}"
    rows = _questions(_path("train", settings.train), train_is)
    if not settings.dev:
        return _split(rows, train_is, settings)
    train = checked(rows, train_is, LEAST, settings.train_rows)
    dev_is = f"qa.dev = {settings.dev!r}"
    return train, checked(_questions(_path("dev", settings.dev), dev_is), dev_is, LEAST)


def _split(rows: Iterable[Question], what: str, settings: Settings) -> tuple[list[Question], list[Question]]:
    # Questions of one context are on one side: an answer to one tells of the others.
    most = settings.train_rows + max(LEAST, settings.train_rows // 9)
    questions = checked(rows, what, 2 * LEAST, most)
    out = held_out([question.context for question in questions])
    sides = [[q for q, held in zip(questions, out, strict=True) if held is side] for side in (False, True)]
    if min(map(len, sides)) < LEAST:
        raise ConfigError([
            f"{what}: holding out one context in ten leaves {len(sides[0])} questions to train on and {len(sides[1])} "
            f"to score; at least {LEAST} each are needed: name a file of held-out questions in qa.dev"
        ])  # fmt: skip
    return sides[0][: settings.train_rows], sides[1]


def _path(side: str, name: str) -> Path:
    what = f"qa.{side} = {name!r}"
    path = existing_file(what, name)
    if path.suffix.lower() not in KINDS:
        raise ConfigError([f"{what}: cannot be read as questions; give one of {', '.join(KINDS)}"])
    return path


def _questions(path: Path, what: str) -> Iterator[Question]:
    if path.suffix.lower() == ".jsonl":
        yield from of_rows(_json_lines(path, what), what)
        return
    try:
        whole = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError([f"{what}: not JSON ({_said(error)}); give a file as SQuAD v2 has it"]) from None
    yield from of_articles(whole, what)


def _json_lines(path: Path, what: str) -> Iterator[tuple[int, Any]]:
    number = 1
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, json.loads(line)
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError([f"{what}: row {number}: not JSON ({_said(error)}); give a question a row"]) from None


def _of_hub(settings: Settings) -> tuple[list[Question], list[Question], dict[str, Any]]:
    sides: list[list[Question]] = []
    for side, most in (("train_split", settings.train_rows), ("dev_split", None)):
        split = getattr(settings, side)
        table = load_split(settings.dataset, (side, split), section="qa", revision=settings.dataset_revision)
        what = f"qa.dataset = {settings.dataset!r}: split {split}"
        sides.append(checked(of_rows(enumerate(table, start=1), what), what, LEAST, most))
    facts = {"dataset": settings.dataset, "splits": {"train": settings.train_split, "dev": settings.dev_split}}
    return sides[0], sides[1], facts


def spread(questions: Sequence[Question], most: int) -> list[Question]:
    """At most `most` of the questions, evenly over all: neighbours are about one article."""
    count = len(questions)
    return list(questions) if count <= most else [questions[index * count // most] for index in range(most)]


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__
