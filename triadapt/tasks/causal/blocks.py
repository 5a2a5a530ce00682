"""Documents packed into blocks of tokens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import numpy as np

from triadapt.errors import ConfigError
from triadapt.tasks.causal.documents import documents
from triadapt.tasks.causal.settings import Settings
from triadapt.tasks.held_out import SHARE, held_out

LEAST_TRAIN, LEAST_DEV = 4, 1
MOST_CHARACTERS = 1_000_000  # given to a tokenizer at a time
ENOUGH_TO_CHOOSE = 2 * SHARE  # of documents


class Packing:
    """How documents become one stream of tokens: each begins as the tokenizer begins a text (many decoders have a token
    for it) and ends with the token of an end of text, where there is one."""

    def __init__(self, tokenizer: Any, vocabulary: int, model_is: str) -> None:
        """vocabulary: how many tokens the model has. model_is: begins the line of a ConfigError."""
        self._tokenizer, self._vocabulary, self._model_is = tokenizer, vocabulary, model_is
        begin = list(tokenizer("")["input_ids"])[:1]
        self.begin = begin if begin and begin[0] in (tokenizer.bos_token_id, tokenizer.cls_token_id) else []
        end = tokenizer.eos_token_id if tokenizer.eos_token_id is not None else tokenizer.sep_token_id
        self.end = [] if end is None else [int(end)]

    def tokens(self, text: str) -> Iterator[list[int]]:
        """Token numbers of a document, in pieces."""
        yield self.begin
        for piece in _pieces(text):
            found = self._tokenizer(piece, add_special_tokens=False, verbose=False)["input_ids"]
            if found and max(found) >= self._vocabulary:
                raise ConfigError([
                    f"{self._model_is}: its tokenizer has a token {max(found)}, the model only {self._vocabulary} of "
                    f"them; give a model with the tokenizer that belongs to it"
                ])  # fmt: skip
            yield found
        yield self.end

    def blocks(self, texts: Iterable[str], length: int, most: int) -> np.ndarray[Any, Any]:
        """At most `most` blocks `(blocks, length)` of the texts one behind the other; what does not fill a last block
        is left out."""
        stream, count = [], 0
        for part in chain.from_iterable(map(self.tokens, texts)):
            stream.append(np.asarray(part, np.int32))
            count += len(part)
            if count >= most * length:
                break
        whole = np.concatenate(stream) if stream else np.zeros(0, np.int32)
        number = min(most, len(whole) // length)
        return whole[: number * length].reshape(number, length)


def both_sides(settings: Settings, packing: Packing) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], str]:
    """Training blocks and held-out blocks, each `(blocks, settings.block)`, and in words what is held out.

    Without `dev` of twenty documents or more one in ten is held out, by their hashes; of fewer the last tenth of the
    blocks. Raises ConfigError.
    """
    length, most, train_is = settings.block, settings.train_rows, f"causal.train = {settings.train!r}"
    if settings.dev:
        train = packing.blocks(documents(settings, "train"), length, most)
        dev = packing.blocks(documents(settings, "dev"), length, settings.eval_rows)
        _enough(train, train_is, LEAST_TRAIN, settings)
        _enough(dev, f"causal.dev = {settings.dev!r}", LEAST_DEV, settings)
        return train, dev, "a file of its own"
    texts = list(documents(settings, "train"))
    out = held_out(texts)
    if len(set(texts)) >= ENOUGH_TO_CHOOSE:
        train = packing.blocks((t for t, held in zip(texts, out, strict=True) if not held), length, most)
        dev = packing.blocks((t for t, held in zip(texts, out, strict=True) if held), length, settings.eval_rows)
        _enough(train, train_is, LEAST_TRAIN, settings)
        _enough(dev, f"{train_is}: one document in ten, which is held out,", LEAST_DEV, settings)
        return train, dev, "one document in ten"
    whole = packing.blocks(texts, length, most + max(LEAST_DEV, most // (SHARE - 1)))
    _enough(whole, train_is, LEAST_TRAIN + LEAST_DEV, settings)
    kept = len(whole) - max(LEAST_DEV, len(whole) // SHARE)
    return whole[:kept][:most], whole[kept:][: settings.eval_rows], "the last tenth"


def _enough(blocks: np.ndarray[Any, Any], what: str, least: int, settings: Settings) -> None:
    if len(blocks) < least:
        raise ConfigError([
            f"{what}: fills {len(blocks)} blocks of {settings.block} tokens, at least {least} are needed; give more "
            f"text, or lower causal.block"
        ])  # fmt: skip


def _pieces(text: str) -> Iterator[str]:
    """A long text cut at ends of lines, else at spaces, else anywhere."""
    start = 0
    while len(text) - start > MOST_CHARACTERS:
        behind = start + MOST_CHARACTERS
        cut = text.rfind("\n", start, behind) + 1 or text.rfind(" ", start, behind)  # a space begins a token
        cut = cut if cut > start else behind
        yield text[start:cut]
        start = cut
    yield text[start:]
