"""The best answer of a question by the scores of its tokens as begin and end."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from triadapt.tasks.qa.questions import Question
from triadapt.tasks.qa.windows import Windows

Scores = Sequence[torch.Tensor]
"""Of each window `(tokens, 2)`: how well each token begins and ends the answer."""


def best_span(begin: torch.Tensor, end: torch.Tensor, longest: int) -> tuple[float, int, int]:
    """The highest `begin[i] + end[j]` with i <= j < i + longest, and i and j. Every pair is compared: there is no list
    of the n best that could miss it."""
    length = len(begin)
    after = torch.full((length + longest - 1,), float("-inf"))
    after[:length] = end
    sums = begin[:, None] + after.unfold(0, longest, 1)
    i, distance = divmod(int(sums.argmax()), sums.shape[1])
    return float(sums[i, distance]), i, i + distance


def answers(
    windows: Windows, scores: Scores, questions: Sequence[Question], *, longest: int, threshold: float
) -> list[str]:
    """What is answered to each question, an empty text for no answer: given where the lowest score of a null token
    among the question's windows exceeds that of the best span of all of them by more than `threshold`."""
    given = [""] * len(questions)
    for index, rows in windows.of_questions():
        null, best, text = float("inf"), float("-inf"), ""
        for row in rows:
            score, place = scores[row], windows.nulls[row]
            null = min(null, float(score[place].sum()))
            first, behind = windows.contexts[row]
            value, i, j = best_span(score[first:behind, 0], score[first:behind, 1], longest)
            if value > best:
                offsets = windows.offsets[row]
                best, text = value, questions[index].context[offsets[i, 0] : offsets[j, 1]]
        given[index] = "" if null - best > threshold else text.strip()
    return given
