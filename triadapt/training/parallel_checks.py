"""Ways of spreading a model over processes under which rank cannot grow, each refused with one line."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.parallel import DataParallel, DistributedDataParallel


class UnsupportedParallel(ValueError):
    """The model is wrapped in something whose buffers are as large as the parameters were when it was made."""


ONE_PROCESS = "train the adapter in one process on one device (a base too large for it fits in 4 bits)"


def check_parallel(model: nn.Module, *, grows: bool) -> None:
    """Raises UnsupportedParallel where parameters cannot change shape.

    Methods that only mask (AdaLoRA) may run under DistributedDataParallel: every process holds the same weights and the
    same averaged gradients, so all take the same decisions.
    """
    for name, module in model.named_modules():
        if isinstance(module, DataParallel):
            raise UnsupportedParallel(f"DataParallel: its copies are lost after each step; {ONE_PROCESS}")
        if type(module).__name__ in ("FullyShardedDataParallel", "FSDPModule") or _is_fsdp2(module):
            raise UnsupportedParallel(
                f"FSDP: {name or 'the model'} holds shards of fixed size, so no rank can change; {ONE_PROCESS}"
            )
    for name, parameter in model.named_parameters():
        if hasattr(parameter, "ds_id"):
            raise UnsupportedParallel(f"DeepSpeed ZeRO-3: {name} is a shard of fixed size; {ONE_PROCESS}")
        if type(parameter.data).__name__ == "DTensor" or type(parameter).__name__ == "DTensor":
            raise UnsupportedParallel(f"DTensor: {name} is a shard of fixed size; {ONE_PROCESS}")
    if not grows:
        return
    several = torch.distributed.is_available() and torch.distributed.is_initialized()
    if isinstance(model, DistributedDataParallel) or (several and torch.distributed.get_world_size() > 1):
        raise UnsupportedParallel(
            "DistributedDataParallel: its gradient buckets keep the shapes that parameters had when it was made, and "
            f"growth changes them; {ONE_PROCESS}, or use AdaLoRA, which masks ranks and keeps shapes"
        )


def _is_fsdp2(module: nn.Module) -> bool:
    return any(base.__name__ == "FSDPModule" for base in type(module).__mro__)
