"""Which output belongs to which subspace of AdaMSS: told, put back, and kept beside an adapter.

PEFT finds the groups by k-means over singular vectors of the frozen weight whenever it wraps a model, and they are in
no file of its own. Another number of threads or another machine is enough for other groups, over which a trained
adapter is a different change.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file, save_file

if TYPE_CHECKING:
    from peft import PeftModel

GROUPS_FILE = "adamss_groups.safetensors"
WRAPPED = "base_model.model."


def groups_of(layer: Any, adapter: str) -> torch.Tensor:
    """The subspace of each output of an adapted layer, `(out,)` int32."""
    found = torch.empty(layer.out_features, dtype=torch.int32)
    for place, rows in layer.seg_result[adapter].items():
        found[rows.cpu()] = place
    return found


def set_groups(layer: Any, adapter: str, groups: torch.Tensor) -> None:
    """Inverse of `groups_of`. Raises ValueError for groups of another layer, or of other sizes than its factors."""
    B = layer.adamss_B[adapter]
    sizes = torch.bincount(groups.long(), minlength=len(B)).tolist() if groups.dim() == 1 else []
    if len(groups) != layer.out_features or sizes != [len(part) for part in B]:
        raise ValueError("the groups do not fit the factors: they are of another adapter")
    device = layer.scatter_index[adapter].device
    rows = {place: torch.where(groups == place)[0].to(device) for place in range(len(B))}
    layer.seg_result[adapter] = rows
    layer.scatter_index[adapter] = torch.cat([rows[place] for place in layer.train_subspace_index[adapter]]).long()


def set_sizes(layer: Any, adapter: str, sizes: list[int], rank: int) -> None:
    """Give the factors of a layer the shapes of groups of so many outputs; what they hold is lost where that differs.
    rank: of a subspace, at most its outputs."""
    for A, B, size in zip(layer.adamss_A[adapter], layer.adamss_B[adapter], sizes, strict=True):
        held = min(size, rank)
        if B.shape != (size, held):
            A.data, B.data = A.data.new_zeros(held, A.shape[1]), B.data.new_zeros(size, held)


def save_groups(groups: Mapping[str, torch.Tensor], folder: Path) -> None:
    """Write the groups of each layer, by its name in the model that will be loaded, beside the adapter in `folder`."""
    whole = {name: found.cpu().contiguous() for name, found in groups.items()}
    save_file(whole, str(folder / GROUPS_FILE), metadata={"format": "pt"})


def with_saved_groups(model: PeftModel, folder: str | Path) -> PeftModel:
    """`model`, loaded by PEFT from the adapter in `folder`, with the groups that adapter was trained with.

    Raises FileNotFoundError where none were saved, ValueError where they are of another adapter.
    """
    adapter, modules = model.active_adapter, dict(model.named_modules())
    saved = load_file(str(Path(folder) / GROUPS_FILE))
    adapted = {name.removeprefix(WRAPPED) for name, layer in modules.items() if hasattr(layer, "adamss_A")}
    if saved.keys() != adapted:
        odd = sorted(saved.keys() ^ adapted)[0]
        raise ValueError(f"{GROUPS_FILE}: {odd} is not in both it and the adapter; they do not belong together")
    for name, groups in saved.items():
        try:
            set_groups(modules[WRAPPED + name], adapter, groups)
        except ValueError as error:
            raise ValueError(f"{GROUPS_FILE}: {name}: {error}") from None
    return model
