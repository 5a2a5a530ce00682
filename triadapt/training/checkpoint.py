"""Checkpoints of a run: one safetensors file each, written whole or not at all."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

PATTERN = "step-*.safetensors"


def checkpoint_name(step: int) -> str:
    """File name of the checkpoint that holds the state after `step`."""
    return f"step-{step:07d}.safetensors"


def write(path: Path, tensors: dict[str, torch.Tensor], extra: dict[str, Any]) -> None:
    """Write tensors and JSON values; a reader sees the whole file or none.

    Tensors of one type lie end to end in one tensor of the file, with names and shapes beside the JSON values: a run
    has hundreds of small ones, and safetensors spends longer on each than on its bytes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    index: dict[str, list[tuple[str, list[int]]]] = {}
    parts: dict[str, list[torch.Tensor]] = {}
    for name, tensor in tensors.items():
        kind = str(tensor.dtype).removeprefix("torch.")
        index.setdefault(kind, []).append((name, list(tensor.shape)))
        parts.setdefault(kind, []).append(tensor.detach().reshape(-1).cpu())
    temporary = path.with_suffix(".partial")
    flat = {kind: torch.cat(chunks) for kind, chunks in parts.items()}
    save_file(flat, temporary, metadata={"state": json.dumps(extra), "index": json.dumps(index)})
    os.replace(temporary, path)


def read(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Inverse of `write`. Raises ValueError naming the file when it is not a whole checkpoint."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
            state, index = json.loads(metadata["state"]), json.loads(metadata["index"])
            if not isinstance(state, dict) or not isinstance(index, dict):
                raise ValueError("its state is not a table")
            tensors: dict[str, torch.Tensor] = {}
            for kind, entries in index.items():
                sizes = [math.prod(shape) for _, shape in entries]
                chunks = file.get_tensor(kind).split(sizes)
                tensors |= {name: part.view(shape) for (name, shape), part in zip(entries, chunks, strict=True)}
            return tensors, state
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise ValueError(f"{path.name}: not a readable checkpoint ({error})") from error


def newest(folder: Path) -> Path | None:
    """The checkpoint with the highest step, or None."""
    return max(folder.glob(PATTERN), default=None)
