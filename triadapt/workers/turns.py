"""Whose race is next, among visitors who share one worker."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from typing import Protocol, TypeVar

MOST_VISITORS = 1024


class Waiting(Protocol):
    """A race that waits. number: grows with each that came."""

    @property
    def visitor(self) -> str: ...
    @property
    def number(self) -> int: ...


Race = TypeVar("Race", bound=Waiting)


class Turns:
    """Takes turns between visitors: next is who was served least recently, first come first served within one.

    So a visitor's next race has at most one race of each other visitor before it, however many these have waiting and
    whenever they came.

    most: visitors who are remembered, those served last. Whoever else has nothing waiting is forgotten when their turn
    lies before that of all who wait; so a server that is up for weeks does not grow with its visitors.
    """

    def __init__(self, most: int = MOST_VISITORS) -> None:
        self._most = max(1, most)
        self._served: dict[str, int] = {}  # in the order of their turns
        self._turn = 0

    def serve(self, visitor: str) -> None:
        """A race of this visitor begins."""
        self._turn += 1
        self._served.pop(visitor, None)
        self._served[visitor] = self._turn

    def order(self, waiting: Iterable[Race]) -> list[Race]:
        """What waits, in the order in which it is served if nothing else comes."""
        races = list(waiting)
        if len(self._served) > self._most:
            self._forget({race.visitor for race in races})
        return in_turn(races, self._served)

    def _forget(self, waiting: set[str]) -> None:
        """Nobody who waits is passed for it: those who were served had their turn later, and those who never were came
        first."""
        oldest = min((self._served[visitor] for visitor in waiting if visitor in self._served), default=self._turn + 1)
        for visitor, turn in list(self._served.items())[: -self._most]:
            if turn < oldest:
                del self._served[visitor]


def in_turn(waiting: Iterable[Race], served: Mapping[str, int]) -> list[Race]:
    """served: when each visitor was served last, as growing numbers; those who never were come first, in the order in
    which they came."""
    own: dict[str, list[Race]] = {}
    for race in sorted(waiting, key=lambda race: race.number, reverse=True):
        own.setdefault(race.visitor, []).append(race)
    line = [(served.get(visitor, 0), races[-1].number, visitor) for visitor, races in own.items()]
    heapq.heapify(line)
    turn = max(served.values(), default=0)
    ordered = []
    while line:
        _, _, visitor = heapq.heappop(line)
        ordered.append(own[visitor].pop())
        turn += 1
        if own[visitor]:
            heapq.heappush(line, (turn, own[visitor][-1].number, visitor))
    return ordered
