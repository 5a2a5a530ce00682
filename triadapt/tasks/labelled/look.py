"""What is to be seen of labelled rows before anything is trained on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from pandas.api import types

from triadapt.errors import printable
from triadapt.tasks.labelled.rows import LabelledText, Side

FEW = 0.05
"""Share of the rows below which a class is called rare."""


@dataclass(frozen=True)
class DataLook:
    """rows: training and held-out ones. balance: rows of each class, training first, in the order of the classes; empty
    where numbers are learned. spread: smallest, middle and largest number, where these are. repeated: training rows
    whose text stands there before. contradicted: texts that stand there with different labels. leaked: held-out texts
    that also train. left_out: rows without text or label. words: middle and longest count of words of a text."""

    rows: tuple[int, int]
    balance: dict[str, tuple[int, int]]
    spread: tuple[float, float, float] | None
    repeated: int
    contradicted: int
    leaked: int
    left_out: int
    words: tuple[int, int]

    def warnings(self) -> list[str]:
        """One line for each thing to think about before training."""
        lines = []
        train, dev = self.rows
        if self.leaked:
            lines.append(
                f"{self.leaked} of {dev} held-out texts also stand among the training rows: the score will flatter"
            )
        if self.contradicted:
            lines.append(f"{_counted(self.contradicted, 'text')} with different labels among the training rows")
        if self.repeated:
            lines.append(f"{_counted(self.repeated, 'training row')} whose text stands there before")
        rare = [name for name, (count, _) in self.balance.items() if count < FEW * train / max(1, len(self.balance))]
        if rare:
            lines.append(f"rare among the training rows: {', '.join(rare[:5])}{' and more' if len(rare) > 5 else ''}")
        unseen = [name for name, (_, count) in self.balance.items() if not count]
        if unseen:
            lines.append(f"no held-out row of {', '.join(unseen[:5])}{' and more' if len(unseen) > 5 else ''}")
        counts = [count for count, _ in self.balance.values()]
        if counts and max(counts) > 0.8 * train:
            name = max(self.balance, key=lambda one: self.balance[one][0])
            lines.append(f"{max(counts) / train:.0%} of the training rows are {name}: f1 or matthews says more here")
        if self.left_out:
            lines.append(f"{_counted(self.left_out, 'row')} without text or label, left out")
        return [printable(line) for line in lines]


def look(data: LabelledText) -> DataLook:
    """What is to be seen of rows."""
    seen: dict[tuple[str, str], set[float]] = {}
    repeated = 0
    for key, label in zip(_keys(data.train), data.train.labels, strict=True):
        repeated += key in seen
        seen.setdefault(key, set()).add(label)
    counts = [Counter(side.labels) for side in (data.train, data.dev)]
    numbers = sorted(data.train.labels)
    words = sorted(len(first.split()) + len(second.split()) for first, second in _keys(data.train))
    return DataLook(
        rows=(len(data.train.labels), len(data.dev.labels)),
        balance={name: (counts[0][index], counts[1][index]) for index, name in enumerate(data.classes)},
        spread=None if data.classes else (numbers[0], numbers[len(numbers) // 2], numbers[-1]),
        repeated=repeated,
        contradicted=sum(len(labels) > 1 for labels in seen.values()),
        leaked=int(data.facts.get("held_out_texts_seen_in_training", 0)),
        left_out=sum(data.facts.get("rows_left_out", {}).values()),
        words=(words[len(words) // 2], words[-1]),
    )


def guessed_columns(frame: pd.DataFrame) -> dict[str, str]:
    """Which columns `text`, `text_pair` and `label` may be, by their names and what stands in them; only those of which
    something speaks."""
    texts = {
        str(name): float(frame[name].dropna().astype(str).str.len().mean() or 0)
        for name in frame.columns
        if types.is_string_dtype(frame[name].dropna()) and len(frame[name].dropna())
    }
    label = next((name for name in map(str, frame.columns) if name.lower() in LABELS), "")
    if not label:
        few = [str(name) for name in frame.columns if 2 <= _different(frame, name) <= min(50, len(frame) // 4)]
        label = few[-1] if few else ""
    long = sorted((name for name in texts if name != label), key=lambda name: -texts[name])
    first = next((name for name in long if name.lower() in TEXTS), long[0] if long else "")
    pair = next((b if first == a else a for a, b in PAIRS if {a, b} <= set(texts) and first in (a, b)), "")
    if pair and (pair, first) in PAIRS:
        first, pair = pair, first
    return {name: value for name, value in (("text", first), ("text_pair", pair), ("label", label)) if value}


LABELS = ("label", "labels", "class", "target", "category", "sentiment", "intent", "y", "gold_label", "score")
TEXTS = ("text", "sentence", "review", "content", "utterance", "sentence1", "premise", "question1", "question")
PAIRS = (("sentence1", "sentence2"), ("premise", "hypothesis"), ("question1", "question2"), ("question", "sentence"),
         ("text1", "text2"), ("text_a", "text_b"), ("query", "passage"))  # fmt: skip


def _different(frame: pd.DataFrame, name: object) -> int:
    try:
        return int(frame[name].nunique())
    except TypeError:  # lists and the like
        return 0


def _keys(side: Side) -> list[tuple[str, str]]:
    second: Sequence[str] = side.second if side.second is not None else [""] * len(side.first)
    return [(str(a), str(b)) for a, b in zip(side.first, second, strict=True)]


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
