"""Exact match and F1 of answers, as SQuAD v2 defines them.

Rajpurkar, Jia, Liang, "Know What You Don't Know: Unanswerable Questions for SQuAD", ACL 2018, and Rajpurkar et al.,
EMNLP 2016, section 6.1 for the two measures. No library in use here has them offline.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalized(answer: str) -> str:
    """What is compared of an answer: lower case, without ASCII punctuation and English articles, words one space
    apart."""
    return " ".join(_ARTICLES.sub(" ", answer.lower().translate(_NO_PUNCTUATION)).split())


def exact_match(given: str, gold: Sequence[str]) -> float:
    """1 where the answer equals one of `gold` as compared, else 0. No gold answers: the right one is none, which is an
    empty text."""
    return max(float(normalized(given) == normalized(answer)) for answer in _counting(gold))


def f1(given: str, gold: Sequence[str]) -> float:
    """From 0 to 1: harmonic mean of precision and recall over the words, with the nearest of `gold`. Where either is no
    answer it is 1 if both are, else 0."""
    return max(_f1(normalized(given).split(), normalized(answer).split()) for answer in _counting(gold))


def _counting(gold: Sequence[str]) -> Sequence[str]:
    """An answer of which nothing is left to compare does not count."""
    return [answer for answer in gold if normalized(answer)] or [""]


def _f1(given: list[str], gold: list[str]) -> float:
    if not given or not gold:
        return float(given == gold)
    shared = (Counter(given) & Counter(gold)).total()
    return 2 * shared / (len(given) + len(gold))


def scores(given: Sequence[str], gold: Sequence[Sequence[str]]) -> dict[str, float]:
    """Means over questions, from 0 to 1: `f1` and `exact_match`, and where some have answers and some have none the F1
    of each kind."""
    found = [f1(one, answers) for one, answers in zip(given, gold, strict=True)]
    exact = [exact_match(one, answers) for one, answers in zip(given, gold, strict=True)]
    result = {"f1": _mean(found), "exact_match": _mean(exact)}
    answered = [value for value, answers in zip(found, gold, strict=True) if answers]
    if 0 < len(answered) < len(found):
        without = [value for value, answers in zip(found, gold, strict=True) if not answers]
        result |= {"f1 with answer": _mean(answered), "f1 without answer": _mean(without)}
    return result


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
