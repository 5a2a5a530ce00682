"""The Hugging Face hub: what its cache holds, what a model is, and its files. Every refusal is one line.

Free of torch. Offline (`HF_HUB_OFFLINE=1`) the cache alone is asked.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import socket
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import huggingface_hub as hub
from huggingface_hub import constants, errors
from tqdm.auto import tqdm

from triadapt.errors import ConfigError
from triadapt.pretrained.notes import listener
from triadapt.pretrained.source import ModelSource, has_tokenizer, refused

WANTED = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja"]
CONVERTER = "SFconvertbot"
REACH_SECONDS = 3.0
AWAY = (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled, errors.IncompleteSnapshotError, ConnectionError)
NO_SAFETENSORS = "it has no safetensors, and pickled weights are not loaded; choose one that has, or convert it"
UNWANTED = ["onnx/*", "openvino/*", "*/*.safetensors", "original/*", "*training_args*", "consolidated*", "adapter_*"]


def cached_file(model: str, name: str, revision: str = "") -> Path | None:
    """A file of a hub id in the cache."""
    try:
        found = hub.try_to_load_from_cache(model, name, revision=revision or None)
    except (ValueError, OSError):
        return None
    return Path(found) if isinstance(found, str) else None


def fetch_heads(model: str, field: str, revision: str = "") -> tuple[dict[str, Any], dict[str, Any]]:
    """`config.json` and the types and shapes of the stored tensors, a few kilobytes. Raises ConfigError."""
    with one_line(field, model), without_waiting():
        place = hub.hf_hub_download(model, "config.json", revision=revision or None)
        config = json.loads(Path(place).read_text(encoding="utf-8"))
        if not isinstance(config, dict):
            raise ValueError("its config.json is not a table of settings")
        try:
            meta = hub.get_safetensors_metadata(model, revision=revision or None)
        except errors.NotASafetensorsRepoError:
            meta = hub.get_safetensors_metadata(model, revision=_converted(model, revision))
    heads = {
        name: (tensor.dtype, tuple(tensor.shape))
        for file in meta.files_metadata.values()
        for name, tensor in file.tensors.items()
    }
    return config, heads


def fetched(source: ModelSource) -> Path:
    """The folder of a hub id's files in the cache, downloaded where they are not there; progress goes to `notes`.
    Raises ConfigError, also where there are no safetensors."""
    revision = source.revision or None
    with one_line(source.field, source.model):
        # A model that is here whole needs no network. What is wanted may change: ask for the list only where it is not.
        for known in (revision, *([] if revision else _converted_in_cache(source.location))):
            with contextlib.suppress(errors.LocalEntryNotFoundError, errors.IncompleteSnapshotError, OSError):
                place = Path(hub.snapshot_download(
                    source.location, revision=known, allow_patterns=WANTED, ignore_patterns=UNWANTED,
                    local_files_only=True,
                ))  # fmt: skip
                if _whole(place):
                    return place
        with without_waiting():
            place = _downloaded(source, revision)
            if not any(place.glob("*.safetensors")):
                place = _downloaded(source, _converted(source.location, source.revision))
    if not any(place.glob("*.safetensors")):
        raise refused(source.field, source.model, NO_SAFETENSORS)
    return place


def _downloaded(source: ModelSource, revision: str | None) -> Path:
    return Path(hub.snapshot_download(
        source.location, revision=revision, allow_patterns=WANTED, ignore_patterns=UNWANTED,
        tqdm_class=_told_bar(source.model),
    ))  # fmt: skip


def _converted_in_cache(model: str) -> list[str]:
    """Revisions of pull requests that the cache holds of a model: its weights may have come from there."""
    refs = Path(constants.HF_HUB_CACHE) / f"models--{model.replace('/', '--')}" / "refs" / "refs" / "pr"
    return [f"refs/pr/{file.name}" for file in sorted(refs.glob("*"))]


def _converted(model: str, revision: str) -> str:
    """The revision in which the hub's own converter offers the safetensors that a model lacks. Raises
    NotASafetensorsRepoError where it does not, or where a revision was asked for."""
    offers = () if revision else hub.get_repo_discussions(model, author=CONVERTER, discussion_type="pull_request")
    for offer in offers:
        if offer.author == CONVERTER and "safetensors" in offer.title.lower() and offer.git_reference:
            return offer.git_reference
    raise errors.NotASafetensorsRepoError(NO_SAFETENSORS)


@contextlib.contextmanager
def without_waiting() -> Iterator[None]:
    """Within the block nobody waits half a minute for a hub that is not there: the cache alone is asked then."""
    if constants.HF_HUB_OFFLINE or _reachable():
        yield
        return
    places = [constants] + [sys.modules[name] for name in ("datasets.config",) if name in sys.modules]
    for place in places:
        place.HF_HUB_OFFLINE = True  # type: ignore[attr-defined]
    try:
        yield
    finally:
        for place in places:
            place.HF_HUB_OFFLINE = False  # type: ignore[attr-defined]


def _reachable() -> bool:
    address = urlparse(constants.ENDPOINT)
    if urllib.request.getproxies().get(address.scheme):
        return True  # the proxy's to say
    try:
        port = address.port or (443 if address.scheme == "https" else 80)
        with socket.create_connection((address.hostname or "", port), timeout=REACH_SECONDS):
            return True
    except OSError:
        return False


def _whole(folder: Path) -> bool:
    index = folder / "model.safetensors.index.json"
    if not (folder / "config.json").is_file() or not has_tokenizer(folder):
        return False
    if not index.is_file():
        return any(folder.glob("*.safetensors"))
    shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    return all((folder / shard).is_file() for shard in shards)


@contextlib.contextmanager
def one_line(field: str, name: str) -> Iterator[None]:
    """Whatever the hub or the network answers becomes a ConfigError of one line that says what to do."""
    try:
        yield
    except ConfigError:
        raise
    except Exception as error:
        message = _said(error)
        if message is None:
            raise
        raise refused(field, name, message) from error


def _said(error: Exception) -> str | None:
    if isinstance(error, errors.GatedRepoError):
        return "gated: accept its terms on huggingface.co, then run `hf auth login` on this machine"
    if isinstance(error, errors.RepositoryNotFoundError):
        return "not on the hub, or private; check the id, or log in with `hf auth login`"
    if isinstance(error, errors.RevisionNotFoundError):
        return "the hub has no such revision of it; check `revision`"
    if isinstance(error, errors.NotASafetensorsRepoError):
        return NO_SAFETENSORS
    if isinstance(error, errors.RemoteEntryNotFoundError):
        return "it has no config.json; choose a transformers model"
    if isinstance(error, errors.HFValidationError):
        return "not a hub id; write it as owner/name"
    if isinstance(error, ValueError) and not isinstance(error, OSError | errors.HfHubHTTPError):
        return _short(error)
    kind = type(error).__module__
    asked = os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")
    if asked and isinstance(error, OSError | errors.HfHubHTTPError | errors.LocalEntryNotFoundError):
        return "not in the cache of this machine, and HF_HUB_OFFLINE keeps it from being asked for"
    if isinstance(error, errors.HfHubHTTPError) and getattr(error, "response", None) is not None:
        return f"the hub answered {error.response.status_code}; try again later"
    if isinstance(error, AWAY) or kind.startswith(("httpx", "httpcore")):
        return "the hub cannot be reached and the cache does not have it; check the network, or give a local folder"
    if isinstance(error, OSError):
        return _short(error)
    return None


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:240] or type(error).__name__


def _told_bar(model: str) -> type[Any]:
    """A progress bar that says how far it is to whoever listens, and draws nothing. Downloads run in threads, which
    know no listener of their own."""
    hear: Callable[[str], None] = listener()

    class Told(tqdm):  # type: ignore[type-arg, misc, unused-ignore]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs.pop("name", None)
            super().__init__(*args, **{**kwargs, "file": io.StringIO(), "disable": False})

        def display(self, *_: Any, **__: Any) -> bool:
            if self.unit == "B" and self.total:
                hear(f"downloading {model}: {self.n / 1e6:.0f} of {self.total / 1e6:.0f} MB")
            return True

    return Told
