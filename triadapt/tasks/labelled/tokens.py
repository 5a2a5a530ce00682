"""Rows as tokens: kept small, padded to the longest of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from triadapt.tasks.labelled.rows import Side
from triadapt.tasks.padding import padded

SLICE = 10_000


class Tokens:
    """Token numbers of the rows of a side, cut at `most`; rows may be pairs of texts."""

    def __init__(self, tokenizer: Any, side: Side, most: int) -> None:
        self._filler = tokenizer.pad_token_id or 0
        self._columns: dict[str, list[np.ndarray[Any, Any]]] = {}
        for start in range(0, len(side.labels), SLICE):
            texts = [list(side.first[start : start + SLICE])]
            if side.second is not None:
                texts.append(list(side.second[start : start + SLICE]))
            encoded = tokenizer(*texts, truncation=True, max_length=most)
            for name, column in encoded.items():
                if name in ("input_ids", "token_type_ids"):
                    self._columns.setdefault(name, []).extend(np.asarray(row, np.int32) for row in column)
        self.lengths = [len(row) for row in self._columns["input_ids"]]

    def __len__(self) -> int:
        return len(self.lengths)

    def padded(self, rows: Sequence[int], device: torch.device) -> dict[str, torch.Tensor]:
        """Tensors `(rows, longest of them)`: what the model takes, padded behind."""
        return padded(self._columns, rows, self._filler, device)
