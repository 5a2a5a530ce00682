"""Rows of token numbers as tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch


def padded(
    columns: Mapping[str, Sequence[np.ndarray[Any, Any]]], rows: Sequence[int], filler: int, device: torch.device
) -> dict[str, torch.Tensor]:
    """Tensors `(rows, longest of them)` of the columns that a tokenizer gives, padded behind, and `attention_mask`.
    filler: token number of what is padded."""
    lengths = [len(columns["input_ids"][row]) for row in rows]
    longest = max(lengths)
    inputs = {}
    for name, column in columns.items():
        table = np.full((len(rows), longest), filler if name == "input_ids" else 0, np.int64)
        for place, row in enumerate(rows):
            table[place, : len(column[row])] = column[row]
        inputs[name] = torch.from_numpy(table).to(device)
    mask = torch.arange(longest)[None, :] < torch.tensor(lengths)[:, None]
    inputs["attention_mask"] = mask.long().to(device)
    return inputs
