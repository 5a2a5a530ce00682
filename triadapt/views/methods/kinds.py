"""Finished runs by what makes their results comparable."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from triadapt.tasks.registry import KNOWN_TASKS
from triadapt.views.compare.configuration import SEED
from triadapt.views.methods.finished import FinishedRun
from triadapt.views.methods.own_settings import is_oracle
from triadapt.views.methods.result import Kind, Result, counted_in_words, memory_of
from triadapt.views.methods.settings_words import that_matter, told_apart

ENOUGH_METHODS = 2
"""Of a kind that is worth a look by itself."""
MOST_IN_A_TITLE = 2
RATE = "learning_rate"
Same = dict[str, Any]


def kinds_of(runs: Iterable[FinishedRun]) -> list[Kind]:
    """The kinds of these runs, the one with the newest run first."""
    found: dict[str, tuple[Same, list[FinishedRun]]] = {}
    for run in runs:
        same = _same(run)
        found.setdefault(json.dumps(same, sort_keys=True), (same, []))[1].append(run)
    titles = _titles([same for same, _ in found.values()])
    kinds = [
        Kind(
            key=f"{members[0].task}-{hashlib.sha256(text.encode()).hexdigest()[:6]}", title=title,
            metric=members[0].metric, higher_is_better=members[0].higher_is_better,
            results=tuple(_results(members, same)), newest=max(run.created for run in members),
        )
        for (text, (same, members)), title in zip(found.items(), titles, strict=True)
    ]  # fmt: skip
    counts = Counter(kind.label for kind in kinds)
    kinds = [kind if counts[kind.label] == 1 else replace(kind, title=f"{kind.title} ({kind.key})") for kind in kinds]
    return sorted(kinds, key=lambda kind: -kind.newest)


def first_kind(kinds: Sequence[Kind]) -> Kind | None:
    """The one to show to who has not said: of the visitor's own the one with most methods, the newest among equals, if
    it has several; else the first recorded one."""
    own = [kind for kind in kinds if not kind.recorded and kind.methods >= ENOUGH_METHODS]
    recorded = [kind for kind in kinds if kind.recorded]
    if own:
        return max(own, key=lambda kind: (kind.methods, kind.newest))
    return next(iter(recorded or kinds), None)


def _same(run: FinishedRun) -> Same:
    """What two runs must share for their results to be comparable."""
    section = {name: value for name, value in run.config.items() if name.startswith(f"{run.task}.")}
    of_run = {name: run.config.get(name) for name in ("steps", "batch_size")}
    return {"task": run.task, **of_run, "metric": run.metric, "higher is better": run.higher_is_better, **section}


def _titles(alike: Sequence[Same]) -> list[str]:
    """Task, steps, and what tells a kind from the others of its task."""
    titles = [""] * len(alike)
    for task in {same["task"] for same in alike}:
        places = [place for place, same in enumerate(alike) if same["task"] == task]
        more = [{name: value for name, value in alike[place].items() if name != "steps"} for place in places]
        for place, words in zip(places, told_apart(more, MOST_IN_A_TITLE), strict=True):
            label = KNOWN_TASKS[task].label if task in KNOWN_TASKS else task
            steps = alike[place]["steps"]
            parts = [label, counted_in_words(steps, "step") if isinstance(steps, int) else "", words]
            titles[place] = ", ".join(part for part in parts if part)
    return titles


def _results(runs: Sequence[FinishedRun], same: Same) -> list[Result]:
    """The runs of one kind, each with what tells its settings from others of its method."""
    of_method: dict[str, list[FinishedRun]] = {}
    for run in sorted(runs, key=lambda run: run.created):
        of_method.setdefault(run.method, []).append(run)
    found = []
    for method, members in of_method.items():
        kept = [
            {name: value for name, value in that_matter(method, run.config).items() if name not in same}
            for run in members
        ]
        keys = [json.dumps(settings, sort_keys=True) for settings in kept]
        distinct = dict(zip(keys, kept, strict=True))
        words = dict(zip(distinct, _unlike(told_apart(list(distinct.values()))), strict=True))
        unrated = [{name: value for name, value in one.items() if name != RATE} for one in distinct.values()]
        rates = {one.get(RATE) for one in distinct.values()}
        but_rate = dict(zip(distinct, told_apart(unrated) if len(rates) > 1 else [None] * len(unrated), strict=True))
        for run, key in zip(members, keys, strict=True):
            found.append(
                Result(
                    method=method, settings=words[key], seed=int(run.config.get(SEED) or 0), value=run.value,
                    parameters=run.parameters, memory=memory_of(run.frozen_bytes, run.most_parameters),
                    step_seconds=run.step_seconds, counts=not is_oracle(method, run.config), run=run.run,
                    but_rate=but_rate[key],
                )
            )  # fmt: skip
    return found


def _unlike(words: list[str]) -> list[str]:
    """Words of different settings, numbered where they are the same, for a few fields may not tell all apart."""
    counts, seen = Counter(words), Counter[str]()
    found = []
    for word in words:
        seen[word] += 1
        found.append(word if counts[word] == 1 else f"{word} #{seen[word]}".strip())
    return found
