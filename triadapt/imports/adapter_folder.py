"""A PEFT adapter folder as a run of one state: the ranks, shapes and singular values it ends with.

LoRA, AdaLoRA and the two growing tuners of this package are read, with numpy from safetensors. An adapter says nothing
of how it got there.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triadapt.events import Event, Finished, Geometry, Matrix, saved_ranks
from triadapt.imports.own_run import MOST_MATRICES, ForeignRun, checked_path, checked_rank, incomplete, started
from triadapt.imports.safetensors_file import SafetensorsFile, Stored
from triadapt.methods.places import IN_ORDER, places
from triadapt.methods.registry import METHODS
from triadapt.runs.info import RunError
from triadapt.runs.library import tidy_name
from triadapt.tasks.registry import ELSEWHERE

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PICKLED = ("adapter_model.bin", "adapter_model.pt", "adapter_model.pth")
LARGEST_CONFIG = 16 * 2**20
MOST_OPERATIONS = 2e11
"""Multiplications that singular values may take; a second or ten."""
Floats = NDArray[np.float64]
TYPES = {"LORA": "lora", "ADALORA": "adalora", "TRIADAPTLORA": "triadaptlora", "INCRELORA": "increlora"}
_PREFIX = {"lora": "lora", "adalora": "lora", "triadaptlora": "triadaptlora", "increlora": "increlora"}


@dataclass(frozen=True, eq=False)
class _Layer:
    """One adapted layer: its parts by letter or name, A `(r, in)` and B `(out, r)` among them."""

    path: str
    parts: Mapping[str, tuple[str, Stored]]

    @property
    def shape(self) -> tuple[int, int]:
        """`(out, in)`."""
        return self.parts["B"][1].shape[0], self.parts["A"][1].shape[1]

    @property
    def size(self) -> int:
        """Rows of A."""
        return self.parts["A"][1].shape[0]


def run_of_adapter(folder: Path, name: str, created: float) -> ForeignRun:
    """The state that an adapter folder holds. Raises RunError with one line that says what is wrong, OSError."""
    config = _config(folder / CONFIG)
    method = _method(folder, config)
    if not (folder / WEIGHTS).is_file():
        pickled = next((file for file in PICKLED if (folder / file).exists()), None)
        if pickled:
            raise RunError(f"{folder / pickled}: a pickle, which is not opened; save the adapter with safetensors "
                           "(model.save_pretrained does so)")  # fmt: skip
        raise RunError(f"{folder}: {WEIGHTS} is missing")
    file = SafetensorsFile(folder / WEIGHTS)
    layers = _layers(file, method, _PREFIX[method])
    if not layers:
        raise RunError(f"{file.path}: holds no matrices of {METHODS[method].label} on linear layers")
    where = dict(zip(layers, places([checked_path(layer.path, str(file.path)) for layer in layers]), strict=True))
    layers.sort(key=lambda layer: _usual_place(layer.path, *where[layer]))
    matrices = [Matrix(layer.path, *where[layer], layer.shape) for layer in layers]
    notes = ["an adapter holds one state, that at its end: of losses, importances and decisions it tells nothing"]
    shaped = _shapes(file, layers, method, config)
    ranks, spectra, cores = shaped.ranks, shaped.singular, shaped.cores
    if shaped.why_no_spectra:
        notes.append(f"singular values are left out: {shaped.why_no_spectra}")
    budget = config.get({"adalora": "target_r", "lora": ""}.get(method, "reference_rank"))
    known_budget = type(budget) is int and 1 <= budget <= 256
    model = config.get("base_model_name_or_path")
    about = {"source": "PEFT adapter", "model": tidy_name(model) if isinstance(model, str) else ""}
    known = {"steps": 1, ELSEWHERE.name: about, **({"reference_rank": budget} if known_budget else {})}
    total = int(ranks.sum())
    parameters = sum(
        math.prod(one.shape) for one in file.tensors.values() if one.dtype in ("F64", "F32", "F16", "BF16")
    )
    events: list[Event] = [
        started(
            method, known, matrices, start_total=total, planned=[], trainable_parameters=parameters,
            core_kind=_CORES[method] if spectra is not None else "none",
            target_total=budget * len(matrices) if known_budget and isinstance(budget, int) else 0,
        ),
        *(incomplete(note) for note in notes),
        saved_ranks(ranks, parameters),
    ]  # fmt: skip
    if spectra is not None:
        events.append(Geometry(1, ranks, spectra, cores))
    events.append(Finished(0, {}))
    label = f"{METHODS[method].label}, {name}"
    return ForeignRun(method, label, created, known, [(0.0, event) for event in events])


_CORES = {"lora": "none", "adalora": "diagonal", "increlora": "diagonal", "triadaptlora": "triangular"}


def _usual_place(path: str, block: int, module: str) -> tuple[str, int, int]:
    """Safetensors sorts by name; a model has its blocks in order, and in them its places in about this one."""
    before = path.split(f".{block}.")[0]
    return before, block, IN_ORDER.index(module) if module in IN_ORDER else len(IN_ORDER)


def _config(path: Path) -> dict[str, Any]:
    if path.stat().st_size > LARGEST_CONFIG:
        raise RunError(f"{path}: larger than {LARGEST_CONFIG // 2**20} MB")
    try:
        config = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path}: not JSON ({error})") from None
    if not isinstance(config, dict):
        raise RunError(f"{path}: not a table of fields")
    return config


def _method(folder: Path, config: Mapping[str, Any]) -> str:
    kind = config.get("peft_type")
    if not isinstance(kind, str) or kind not in TYPES:
        raise RunError(f"{folder / CONFIG}: peft_type = {str(kind)[:80]!r}: adapters of {', '.join(TYPES)} are read")
    return TYPES[kind]


def _layers(file: SafetensorsFile, method: str, prefix: str) -> list[_Layer]:
    """Linear layers with both factors, in the order of the file, which need not be that of the model: by their path,
    numbers as numbers."""
    found: dict[str, dict[str, tuple[str, Stored]]] = {}
    pattern = re.compile(rf"(?:base_model\.model\.)?(.{{1,400}})\.{prefix}_([A-Za-z]{{1,10}})(?:\.weight)?")
    for name, stored in file.tensors.items():
        match = pattern.fullmatch(name)
        if match and match[2] in ("A", "B", "E", "L", "U", "blocks", "used"):
            found.setdefault(match[1], {})[match[2]] = (name, stored)
    layers = [_Layer(path, parts) for path, parts in found.items() if _is_whole(parts, method, file)]
    if len(layers) > MOST_MATRICES:
        raise RunError(f"{file.path}: {len(layers)} matrices; at most {MOST_MATRICES} are read")
    return sorted(
        layers, key=lambda layer: [(part.zfill(9) if part.isdecimal() else part) for part in layer.path.split(".")]
    )


def _is_whole(parts: Mapping[str, tuple[str, Stored]], method: str, file: SafetensorsFile) -> bool:
    """Whether it is a linear layer; one with a part that does not fit is refused, not passed over."""
    if not {"A", "B"} <= set(parts):
        return False
    a, b = parts["A"][1].shape, parts["B"][1].shape
    if len(a) != 2 or len(b) != 2:
        return False
    wanted = {
        "E": (a[0], 1), "L": (a[0], a[0]), "U": (a[0], a[0])
    }  # fmt: skip
    needed = {"adalora": "E", "increlora": "E", "triadaptlora": "LU"}.get(method, "")
    for part in needed:
        if part not in parts or parts[part][1].shape != wanted[part]:
            raise RunError(f"{file.path}: {parts['A'][0][:200]!r}: its part {part} is missing or of another rank")
    floats = ("F64", "F32", "F16", "BF16")
    if a[0] != b[1] or any(parts[part][1].dtype not in floats for part in ("A", "B", *needed)):
        raise RunError(
            f"{file.path}: {parts['A'][0][:200]!r}: A {list(a)} and B {list(b)} are not factors of one matrix"
        )
    return True


@dataclass(frozen=True)
class _Shaped:
    ranks: NDArray[np.uint16]
    singular: NDArray[np.float32] | None
    cores: NDArray[np.float32]
    why_no_spectra: str = ""


def _shapes(file: SafetensorsFile, layers: list[_Layer], method: str, config: Mapping[str, Any]) -> _Shaped:
    masks = config.get("rank_pattern") if method == "adalora" else None
    if masks and not isinstance(masks, dict):
        raise RunError(f"{file.path.parent / CONFIG}: rank_pattern: not a table of masks")
    of_path = {_path_of_mask(name): mask for name, mask in (masks or {}).items()}
    kept = [_KEPT[method](file, layer, of_path) for layer in layers]
    ranks = np.array([checked_rank(len(rows), f"{file.path}: rank of {layer.path}")
                      for rows, layer in zip(kept, layers, strict=True)], np.uint16)  # fmt: skip
    empty = np.zeros(0, np.float32)
    why = _why_no_spectra(layers, method, config)
    if why:
        return _Shaped(ranks, None, empty, why)
    singular, cores = [], []
    for layer, rows in zip(layers, kept, strict=True):
        A, B = file.read(layer.parts["A"][0])[rows], file.read(layer.parts["B"][0])[:, rows]
        core = _core(file, layer, method, rows)
        scale = _scale(layer, method, len(rows), config, file)
        middle = np.diag(core) if core is not None and core.ndim == 1 else core
        singular.append(_singular_values(A, B * scale, middle))
        cores.append(np.zeros(0) if core is None else core.ravel())
    with np.errstate(over="ignore"):
        values = np.concatenate(singular).astype(np.float32)
        inner = np.concatenate(cores).astype(np.float32)
    return _Shaped(ranks, values, inner)


def _why_no_spectra(layers: list[_Layer], method: str, config: Mapping[str, Any]) -> str:
    if config.get("use_dora"):
        return "DoRA changes the length of each column too"
    patterns = config.get("alpha_pattern") or {}
    plain = isinstance(patterns, dict) and all(re.fullmatch(r"[\w.\-]{1,300}", key) for key in patterns)
    if method == "lora" and not plain:
        return "alpha_pattern names layers by regular expressions"
    operations = sum(float(layer.size) ** 2 * (sum(layer.shape) + layer.size) for layer in layers)
    return "the adapter is too large for that" if operations > MOST_OPERATIONS else ""


def _singular_values(A: Floats, B: Floats, core: Floats | None) -> Floats:
    """Of B core A, `(r,)`, largest first, without forming it: factors are turned into triangles first."""
    rank = A.shape[0]
    if not rank:
        return np.zeros(0)
    left, right = np.asarray(np.linalg.qr(B, mode="r")), np.asarray(np.linalg.qr(A.T, mode="r"))
    small = left @ right.T if core is None else left @ core @ right.T
    try:
        values = np.linalg.svd(small, compute_uv=False)
    except np.linalg.LinAlgError:
        values = np.full(0, 0.0)
    return np.concatenate([values, np.zeros(rank - len(values))])


def _core(file: SafetensorsFile, layer: _Layer, method: str, rows: NDArray[np.int64]) -> Floats | None:
    if method == "lora":
        return None
    if method != "triadaptlora":
        values: Floats = file.read(layer.parts["E"][0])[rows, 0]
        return values
    lower, upper = file.read(layer.parts["L"][0]), file.read(layer.parts["U"][0])
    ends = np.cumsum(_counts(file, layer, "blocks"))
    if not len(ends) or ends[-1] != layer.size:
        raise RunError(f"{file.path}: {layer.path[:200]!r}: its blocks do not add up to its rank of {layer.size}")
    # Row i of L reaches to the end of the block that i is in, and so does column i of U.
    reach = ends[np.searchsorted(ends, np.arange(layer.size), side="right")]
    inside = np.arange(layer.size)[None, :] < reach[:, None]
    both: Floats = lower * inside + upper * inside.T
    return both


def _counts(file: SafetensorsFile, layer: _Layer, part: str) -> NDArray[np.int64]:
    name, stored = layer.parts.get(part, ("", None))
    if stored is None or len(stored.shape) != 1 or not stored.dtype.startswith("I"):
        raise RunError(f"{file.path}: {layer.path[:200]!r}: its {part} are missing or no whole numbers")
    counts = file.read(name).astype(np.int64)
    if not len(counts) or counts.min() < 0 or counts.max() > layer.size:
        raise RunError(f"{file.path}: {layer.path[:200]!r}: its {part} do not fit its rank of {layer.size}")
    return counts


def _all_rows(file: SafetensorsFile, layer: _Layer, masks: Mapping[str, Any]) -> NDArray[np.int64]:
    return np.arange(layer.size)


def _used_rows(file: SafetensorsFile, layer: _Layer, masks: Mapping[str, Any]) -> NDArray[np.int64]:
    """Of IncreLoRA: the triplets in reserve come last."""
    return np.arange(int(_counts(file, layer, "used")[0]))


def _unmasked_rows(file: SafetensorsFile, layer: _Layer, masks: Mapping[str, Any]) -> NDArray[np.int64]:
    """Of AdaLoRA: what is saved is cut to the mask already, or whole where there is none."""
    mask = masks.get(layer.path)
    if isinstance(mask, list) and len(mask) == layer.size and all(type(one) is bool for one in mask):
        return np.flatnonzero(np.array(mask, bool)).astype(np.int64)
    return np.arange(layer.size)


def _path_of_mask(name: str) -> str:
    return re.sub(r"\.lora_E(\.[^.]+)?$", "", name).removeprefix("base_model.").removeprefix("model.")


_KEPT: dict[str, Callable[[SafetensorsFile, _Layer, Mapping[str, Any]], NDArray[np.int64]]] = {
    "lora": _all_rows, "adalora": _unmasked_rows, "triadaptlora": _all_rows, "increlora": _used_rows,
}  # fmt: skip


def _scale(layer: _Layer, method: str, rank: int, config: Mapping[str, Any], file: SafetensorsFile) -> float:
    """What dW is scaled by when the adapter is loaded."""

    def number(name: str, default: float) -> float:
        value = config.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e9:
            raise RunError(f"{file.path.parent / CONFIG}: {name} = {str(value)[:80]}: expected a number above 0")
        return float(value)

    if method == "lora":
        alpha = number("lora_alpha", 8)
        patterns = config.get("alpha_pattern") or {}
        for ending, value in patterns.items():
            if layer.path == ending or layer.path.endswith(f".{ending}"):
                alpha = float(value) if isinstance(value, int | float) and abs(value) < 1e9 else alpha
                break
        return alpha / (math.sqrt(max(1, rank)) if config.get("use_rslora") else max(1, rank))
    if method == "adalora":
        # PEFT goes on dividing by the rank that it started with.
        return number("lora_alpha", 8) / (number("init_r", 12) + 1e-5)
    alpha = number("alpha", 16)
    match config.get("scale", "constant"):
        case "rank":
            return alpha / (rank + 1e-5)
        case "blocks":
            blocks = len(_counts(file, layer, "blocks")) if method == "triadaptlora" else rank
            return alpha / (blocks + 1e-5)
        case _:
            return alpha / number("reference_rank", 8)
