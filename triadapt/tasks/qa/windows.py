"""Questions with their contexts as windows of tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from triadapt.errors import ConfigError
from triadapt.tasks.padding import padded
from triadapt.tasks.qa.questions import Question

SLICE = 1000
QUESTION_SHARE = 4  # a question gets at most a window over this


class Windows:
    """A question and a stretch of its context each; long contexts have several, which overlap by `stride` tokens.

    `question[w]` is the index of the question of window w, `nulls[w]` the token that stands for "no answer here",
    `contexts[w]` the first token of the context and the one behind its last, `spans[w]` first and last token of the
    first right answer, or twice the null token where the window does not hold the whole of it. `offsets[w]` are the
    characters `(tokens of the context, 2)` of the context that its tokens cover.

    The null token is the one called CLS. Decoders, whose first token has seen nothing, and tokenizers without CLS get
    one more at the end.
    """

    def __init__(
        self, tokenizer: Any, questions: Sequence[Question], *, most: int, stride: int, decoder: bool, model_is: str
    ) -> None:
        """most: tokens of a window. model_is: begins the line of a ConfigError about the tokenizer."""
        if not getattr(tokenizer, "is_fast", False):
            raise ConfigError(
                [f"{model_is}: its tokenizer does not say where tokens stand in a text; choose a model with a fast one"]
            )
        cls = None if decoder else tokenizer.cls_token_id
        self._last = _of_end(tokenizer, model_is) if cls is None else None
        self.null_is = "an end of text behind the context" if cls is None else "CLS"
        self._filler = tokenizer.pad_token_id or 0
        self.columns: dict[str, list[np.ndarray[Any, Any]]] = {}
        self.question: list[int] = []
        self.nulls: list[int] = []
        self.contexts: list[tuple[int, int]] = []
        self.spans: list[tuple[int, int]] = []
        self.offsets: list[np.ndarray[Any, Any]] = []
        for start in range(0, len(questions), SLICE):
            part = questions[start : start + SLICE]
            encoded = tokenizer(
                _fitting(tokenizer, part, most // QUESTION_SHARE), [one.context for one in part],
                truncation="only_second", max_length=most - (cls is None), stride=stride,
                return_overflowing_tokens=True, return_offsets_mapping=True,
            )  # fmt: skip
            for window, index in enumerate(encoded["overflow_to_sample_mapping"]):
                self._add(encoded, window, start + index, part[index], cls)

    def _add(self, encoded: Any, window: int, index: int, question: Question, cls: int | None) -> None:
        of_context = np.array([part == 1 for part in encoded.sequence_ids(window)])
        if not of_context.any():
            return  # a context of which the tokenizer leaves nothing
        first, behind = int(of_context.argmax()), len(of_context) - int(of_context[::-1].argmax())
        ids = list(encoded["input_ids"][window])
        if self._last is not None:
            ids.append(self._last)
        null = len(ids) - 1 if cls is None else ids.index(cls)
        offsets = np.asarray(encoded["offset_mapping"][window][first:behind], np.int32)
        kinds = encoded.get("token_type_ids")
        columns = {"input_ids": ids}
        if kinds is not None:
            columns["token_type_ids"] = [*kinds[window], *([kinds[window][-1]] if self._last is not None else [])]
        for name, values in columns.items():
            self.columns.setdefault(name, []).append(np.asarray(values, np.int32))
        self.question.append(index)
        self.nulls.append(null)
        self.contexts.append((first, behind))
        self.offsets.append(offsets)
        span = _span(question, offsets)
        self.spans.append((null, null) if span is None else (first + span[0], first + span[1]))

    def __len__(self) -> int:
        return len(self.question)

    @property
    def lengths(self) -> list[int]:
        """Tokens of each window."""
        return [len(row) for row in self.columns["input_ids"]]

    def padded(self, rows: Sequence[int], device: torch.device) -> dict[str, torch.Tensor]:
        """What the model takes of these windows, `(rows, longest of them)`."""
        return padded(self.columns, rows, self._filler, device)

    def places(self, rows: Sequence[int], tokens: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Of these windows, padded to `tokens`: which tokens may begin or end an answer or stand for none
        `(rows, tokens)`, and first and last token of the answer `(rows, 2)`."""
        allowed = torch.zeros(len(rows), tokens, dtype=torch.bool)
        for place, row in enumerate(rows):
            first, behind = self.contexts[row]
            allowed[place, first:behind] = True
            allowed[place, self.nulls[row]] = True
        return allowed, torch.tensor([self.spans[row] for row in rows])

    def of_questions(self) -> Iterator[tuple[int, list[int]]]:
        """Each question that has windows, and these."""
        rows: dict[int, list[int]] = {}
        for window, index in enumerate(self.question):
            rows.setdefault(index, []).append(window)
        yield from rows.items()


def _fitting(tokenizer: Any, questions: Sequence[Question], most: int) -> list[str]:
    """The questions, cut where they have more than `most` tokens: a window must have room for its context. Where the
    tokenizer sets nothing between two texts, a line's end does."""
    texts = [one.question for one in questions]
    encoded = tokenizer(texts, add_special_tokens=False, return_offsets_mapping=True)
    end = "" if tokenizer.num_special_tokens_to_add(pair=True) else "\n"
    return [
        (text[: offsets[most - 2][1]] if len(offsets) >= most else text) + end
        for text, offsets in zip(texts, encoded["offset_mapping"], strict=True)
    ]


def _span(question: Question, offsets: np.ndarray[Any, Any]) -> tuple[int, int] | None:
    """First and last token of the first answer among those of a window, None where it is not whole in it."""
    if not question.answers:
        return None
    begin = question.starts[0]
    end = begin + len(question.answers[0])
    if begin < offsets[0, 0] or end > offsets[-1, 1]:
        return None
    touched = np.flatnonzero((offsets[:, 1] > begin) & (offsets[:, 0] < end))
    return (int(touched[0]), int(touched[-1])) if len(touched) else None


def _of_end(tokenizer: Any, model_is: str) -> int:
    for found in (tokenizer.eos_token_id, tokenizer.sep_token_id, tokenizer.pad_token_id):
        if found is not None:
            return int(found)
    raise ConfigError([f"{model_is}: its tokenizer has neither CLS nor an end of text to stand for no answer"])
