"""Which device trains, and with which libraries."""

from __future__ import annotations

import importlib.metadata
import platform

import torch


def choose_device(wanted: str) -> str:
    """The device for `wanted`: `auto` takes cuda, then mps, then cpu. Raises ValueError when it is not there."""
    if wanted == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    kind, _, index = wanted.partition(":")
    if kind == "cuda" and (not torch.cuda.is_available() or int(index or 0) >= torch.cuda.device_count()):
        raise ValueError(f"device = {wanted!r}: this machine has {torch.cuda.device_count()} cuda devices; use auto")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise ValueError("device = 'mps': not available on this machine; use auto")
    return wanted


def description(device: str) -> str:
    """The device's name for people."""
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else device


def library_versions() -> dict[str, str]:
    """Versions of what a training depends on."""
    names = ("triadapt", "torch", "transformers", "peft")
    return {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in names}}
