"""Checkpoints of a run: one safetensors file each, written whole or not at all."""

from __future__ import annotations

import json
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
    """Write tensors and JSON values; a reader sees the whole file or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".partial")
    flat = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    save_file(flat, temporary, metadata={"state": json.dumps(extra)})
    os.replace(temporary, path)


def read(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Inverse of `write`. Raises ValueError naming the file when it is not a whole checkpoint."""
    try:
        with safe_open(path, framework="pt") as file:
            state = json.loads(file.metadata()["state"])
            if not isinstance(state, dict):
                raise ValueError("its state is not a table")
            return {name: file.get_tensor(name) for name in file.keys()}, state
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path.name}: not a readable checkpoint ({error})") from error


def newest(folder: Path) -> Path | None:
    """The checkpoint with the highest step, or None."""
    return max(folder.glob(PATTERN), default=None)
