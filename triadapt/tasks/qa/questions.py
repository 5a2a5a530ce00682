"""Questions of SQuAD v2, checked one by one. Whatever is wrong is one line that says in which question."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from triadapt.errors import ConfigError


@dataclass(frozen=True)
class Question:
    """One question about a context. answers: the right ones, none where the context has none; starts: the character of
    the context at which each begins."""

    id: str
    context: str
    question: str
    answers: tuple[str, ...]
    starts: tuple[int, ...]


def of_articles(whole: Any, what: str) -> Iterator[Question]:
    """The questions of a file as SQuAD publishes it: `{"data": [{"paragraphs": [{"context", "qas": [...]}]}]}`. what:
    begins the line of a ConfigError."""
    if not isinstance(whole, Mapping):
        raise ConfigError([f'{what}: holds a {_kind(whole)}, not {{"data": [...]}} as a SQuAD v2 file does'])
    for a, article in enumerate(_list(whole, "data", what), start=1):
        at = f"{what}: article {a}"
        for p, paragraph in enumerate(_list(_table(article, at), "paragraphs", at), start=1):
            at = f"{what}: article {a}, paragraph {p}"
            context = _text(_table(paragraph, at), "context", at)
            for q, row in enumerate(_list(paragraph, "qas", at), start=1):
                at = f"{what}: article {a}, paragraph {p}, question {q}"
                answers = _list(_table(row, at), "answers", at)
                pairs = [
                    (_text(_table(one, at), "text", at, "answers.text"), one.get("answer_start")) for one in answers
                ]
                yield _question(row, context, pairs, at)


def of_rows(rows: Iterable[tuple[int, Any]], what: str) -> Iterator[Question]:
    """The questions of flat rows, as the hub has them: `{"id", "context", "question", "answers": {"text": [...],
    "answer_start": [...]}}`. rows: each with the number of its line or row."""
    for number, row in rows:
        at = f"{what}: row {number}"
        context = _text(_table(row, at), "context", at)
        if "answers" not in row:
            raise ConfigError([f"{at}: no answers; give {{'text': [...], 'answer_start': [...]}}, empty where none"])
        answers = _table(row["answers"], f"{at}: answers")
        texts, starts = _list(answers, "text", at), _list(answers, "answer_start", at)
        if len(texts) != len(starts):
            raise ConfigError([f"{at}: {len(texts)} answers.text but {len(starts)} answers.answer_start; give as many"])
        checked_texts = [_text({"text": text}, "text", at, "answers.text") for text in texts]
        pairs = list(zip(checked_texts, starts, strict=True))
        yield _question(row, context, pairs, at)


def checked(questions: Iterable[Question], what: str, least: int, most: int | None = None) -> list[Question]:
    """At most `most` of the questions, each of its own id. Raises ConfigError where two are of one, or where there are
    fewer than `least`."""
    found: list[Question] = []
    seen: set[str] = set()
    for question in questions:
        if question.id in seen:
            raise ConfigError([f"{what}: two questions have the id {question.id[:60]!r}; give each its own"])
        seen.add(question.id)
        found.append(question)
        if len(found) == most:
            break
    if len(found) < least:
        raise ConfigError([f"{what}: {len(found)} questions, at least {least} are needed; give more"])
    return found


def _question(row: Mapping[str, Any], context: str, pairs: list[tuple[str, Any]], at: str) -> Question:
    identity = row.get("id")
    if isinstance(identity, bool) or not isinstance(identity, str | int) or identity == "":
        raise ConfigError([f"{at}: {_missing(row, 'id', 'a text')}"])
    impossible = row.get("is_impossible", not pairs)
    if not isinstance(impossible, bool):
        raise ConfigError([f"{at}: is_impossible is a {_kind(impossible)}, not true or false"])
    if impossible != (not pairs):
        told = "true, but it has answers" if impossible else "false, but it has no answers"
        raise ConfigError([f"{at}: is_impossible is {told}; correct one of them"])
    for text, start in pairs:
        if isinstance(start, bool) or not isinstance(start, int):
            raise ConfigError([f"{at}: answer_start is {_short(start)}, not a whole number"])
        if start < 0 or context[start : start + len(text)] != text:
            raise ConfigError(
                [f"{at}: the answer {_short(text)} does not stand at answer_start {start} of its context; correct it"]
            )
    return Question(
        str(identity) if isinstance(identity, int) else _text({"id": identity}, "id", at),
        context,
        _text(row, "question", at),
        tuple(text for text, _ in pairs),
        tuple(start for _, start in pairs),
    )


def _table(value: Any, at: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigError([f"{at}: a {_kind(value)}, not a table of names and values"])
    return value


def _list(table: Mapping[str, Any], name: str, at: str) -> list[Any]:
    value = table.get(name)
    if not isinstance(value, list):
        raise ConfigError([f"{at}: {_missing(table, name, 'a list')}"])
    return value


def _text(table: Mapping[str, Any], name: str, at: str, called: str = "") -> str:
    value = table.get(name)
    if not isinstance(value, str):
        raise ConfigError([f"{at}: {_missing(table, name, 'a text', called)}"])
    if not value.strip():
        raise ConfigError([f"{at}: {called or name} is empty"])
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ConfigError([f"{at}: {called or name} holds half a character (a lone surrogate); correct it"]) from None
    return value


def _missing(table: Mapping[str, Any], name: str, wanted: str, called: str = "") -> str:
    called = called or name
    return f"{called} is a {_kind(table[name])}, not {wanted}" if name in table else f"no {called}; give {wanted}"


def _kind(value: Any) -> str:
    return {dict: "table", str: "text", int: "number", float: "number", type(None): "null"}.get(
        type(value), type(value).__name__
    )


def _short(value: Any) -> str:
    told = repr(value)
    return told if len(told) <= 60 else told[:57] + "..."
