"""What a pretrained model is, from its `config.json` and the heads of its safetensors, without loading a weight.

Free of torch: the pages and previews read it. Of a hub id it is known what the cache holds; `fetched_look` asks the hub
for these few kilobytes.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from triadapt.errors import ConfigError
from triadapt.pretrained.adapt import chosen
from triadapt.pretrained.hub import cached_file, fetch_heads
from triadapt.pretrained.known import known_places
from triadapt.pretrained.lengths import most_tokens
from triadapt.pretrained.places import Place, in_order, is_decoder, place_of
from triadapt.pretrained.source import find_model, local_folder, minilm_folder, refused, safetensors_of

MOST_HEAD_BYTES = 100 * 1024**2
# Conv1D keeps its weight as (in, out).
CONV1D = frozenset({"gpt2", "openai-gpt"})
ENCODER_OF_TWO = frozenset({"t5", "mt5", "umt5"})
LOGITS = "lm_head.weight"

Heads = dict[str, tuple[str, tuple[int, ...]]]
"""Type and shape of each stored tensor, by name."""


@dataclass(frozen=True)
class ModelLook:
    """model_type: the family, such as `bert`. decoder: whether its tokens see only those before them. parameters: of
    the file, as far as they are loaded; `logits` of them by causal training alone.
    hidden, layers, tokens: width, blocks, longest input (0 where not said). places: the linear layers that can be
    adapted, in order."""

    model_type: str
    decoder: bool
    parameters: int
    logits: int
    hidden: int
    layers: int
    tokens: int
    vocabulary: int
    places: tuple[Place, ...]


def look_at(model: str, field: str, revision: str = "") -> ModelLook | None:
    """What `model` is, as far as files on this machine tell; None for a hub id that is not in the cache. Cheap, and
    free where nothing has changed. Raises ConfigError as `find_model`, and where a file is not what it should be."""
    folder = minilm_folder() if model == "minilm" else local_folder(model, field)
    if model == "minilm" and folder is None:
        find_model(model, field)  # says what to install
    if folder is None:
        config = cached_file(model, "config.json", revision)
        folder = config.parent if config is not None else None
        if folder is None or not any(folder.glob("*.safetensors")):
            return None
    files = [folder / "config.json", *safetensors_of(folder, model, field)]
    stamps = tuple((str(file), file.stat().st_mtime_ns, file.stat().st_size) for file in files)
    return _look(stamps, model, field)


def fetched_look(model: str, field: str, revision: str = "") -> ModelLook:
    """`look_at`, asking the hub where the cache does not know. Raises ConfigError with one line."""
    known = look_at(model, field, revision)
    if known is not None:
        return known
    config, heads = fetch_heads(model, field, revision)
    return _looked(config, heads, model, field)


def places_of(model: str, revision: str, adapt: str) -> list[Place] | None:
    """The places that would be adapted; None where that cannot be known here and now."""
    known = None if revision else known_places(model)
    try:
        look = None if known else look_at(model, "model", revision)
        places = known or (None if look is None else look.places)
        return None if places is None else chosen(places, adapt, "adapt")
    except (ConfigError, OSError):
        return None


@functools.lru_cache(maxsize=64)
def _look(stamps: tuple[tuple[str, int, int], ...], model: str, field: str) -> ModelLook:
    files = [Path(name) for name, _, _ in stamps]
    try:
        config = json.loads(files[0].read_text(encoding="utf-8"))
        if not isinstance(config, dict):
            raise ValueError("not a table of settings")
    except (OSError, ValueError, RecursionError) as error:
        raise refused(field, model, f"its config.json cannot be read ({' '.join(str(error).split())[:120]})") from None
    heads: Heads = {}
    for file in files[1:]:
        heads |= _head(file, model, field)
    return _looked(config, heads, model, field)


def _head(file: Path, model: str, field: str) -> Heads:
    """The names in a safetensors file: eight bytes of length, then JSON."""
    try:
        with file.open("rb") as stream:
            size = int.from_bytes(stream.read(8), "little")
            if not 2 <= size <= MOST_HEAD_BYTES:
                raise ValueError("its head has no size that it could have")
            found = json.loads(stream.read(size))
        return {
            name: (str(one["dtype"]), tuple(_side(side) for side in one["shape"]))
            for name, one in found.items()
            if name != "__metadata__"
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        told = " ".join(str(error).split())[:120] or type(error).__name__
        raise refused(field, model, f"{file.name} cannot be loaded as safetensors ({told})") from None


def _side(value: Any) -> int:
    if not isinstance(value, int) or not 0 <= value < 2**40:
        raise ValueError(f"a tensor cannot have a side of {str(value)[:20]}")
    return value


def _looked(config: Mapping[str, Any], heads: Heads, model: str, field: str) -> ModelLook:
    family = str(config.get("model_type") or "")
    if "auto_map" in config and not _known_to_transformers(family):
        raise refused(
            field, model, "it asks to run code of its own, which is never done here; choose a model of a family that "
            "transformers knows"
        )  # fmt: skip
    if not family:
        raise refused(field, model, "its config.json names no model_type; give a saved transformers model")
    architectures = config.get("architectures")
    names = [str(name) for name in architectures] if isinstance(architectures, list) else []
    two = bool(config.get("is_encoder_decoder"))
    if two and family not in ENCODER_OF_TWO:
        raise refused(field, model, f"{family} is an encoder with a decoder; of these only T5's encoder is adapted")
    found: dict[tuple[int, str], Place] = {}
    for name, (_, shape) in heads.items():
        if len(shape) != 2 or not name.endswith(".weight") or (two and ("decoder." in name)):
            continue
        path = name.removesuffix(".weight")
        place = place_of(path)
        if place is not None:
            out, into = shape[::-1] if family in CONV1D else shape
            found.setdefault(place, Place(path, *place, (out, into)))
    if not found:
        raise refused(
            field, model, f"{family} has no linear layer inside numbered blocks, so there is nothing to adapt"
        )
    places = in_order(found.values())
    return ModelLook(
        model_type=family,
        decoder=is_decoder(family, names),
        parameters=_count(heads, lambda name: not _left_out(name, two, heads)),
        logits=_count(heads, lambda name: not two and name == LOGITS),
        hidden=_number(config, "hidden_size", "dim", "n_embd", "d_model"),
        layers=1 + max(place.layer for place in places),
        tokens=_tokens(config, family),
        vocabulary=_number(config, "vocab_size"),
        places=tuple(places),
    )


def _count(heads: Heads, wanted: Callable[[str], bool]) -> int:
    return sum(math.prod(shape) for name, (_, shape) in heads.items() if wanted(name))


def _left_out(name: str, two: bool, heads: Heads) -> bool:
    """Whether this tensor is not loaded, as T5's decoder and BERT's heads. Some files hold T5's embedding again."""
    if not two:
        return name.startswith("cls.") or "pooler." in name
    again = name == "encoder.embed_tokens.weight" and "shared.weight" in heads
    return again or name == LOGITS or name.startswith("decoder.")


def _number(config: Mapping[str, Any], *names: str) -> int:
    values = (config.get(name) for name in names)
    return next((value for value in values if isinstance(value, int) and 0 < value < 2**31), 0)


def _tokens(config: Mapping[str, Any], family: str) -> int:
    said = SimpleNamespace(
        model_type=family, max_position_embeddings=_number(config, "max_position_embeddings", "n_positions"),
        position_biased_input=config.get("position_biased_input", True), pad_token_id=_number(config, "pad_token_id"),
    )  # fmt: skip
    return most_tokens(said) or 0


def _known_to_transformers(family: str) -> bool:
    spec = importlib.util.find_spec("transformers")  # a top-level name: not imported
    folder = family.replace("-", "_")
    return folder.isidentifier() and any(
        (Path(root) / "models" / folder).is_dir() for root in (spec.submodule_search_locations or []) if spec
    ) if spec else True  # fmt: skip
