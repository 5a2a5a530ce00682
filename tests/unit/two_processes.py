"""One of two processes that train together: what rank growth says to parallel wrappers. Run by the tests.

python tests/unit/two_processes.py RANK FOLDER
"""

import json
import sys
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from own_loop import STEPS, base, batch, peft_config, schedule
from peft import get_peft_model
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

from triadapt import RankGrowth


def said(method: str, wrap: Any) -> str:
    model: Any = get_peft_model(base(), peft_config(method))
    wrapped = wrap(model)
    try:
        optimizer = torch.optim.SGD([p for p in wrapped.parameters() if p.requires_grad], lr=0.1)
        RankGrowth(wrapped if isinstance(wrapped, DistributedDataParallel) else model, optimizer, **schedule(method))
    except ValueError as error:
        return str(error)
    return ""


def adalora_under_ddp(rank: int) -> list[Any]:
    """Each process has data of its own; what is decided must be the same."""
    model: Any = get_peft_model(base(), peft_config("adalora"))
    wrapped = DistributedDataParallel(model)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.01)
    growth = RankGrowth(wrapped, optimizer, **schedule("adalora"))
    for step in range(STEPS):
        wrapped(**batch(2 * step + rank)).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return [[a.step, a.decision.threshold, a.ranks.tolist()] for a in growth.allocations]


def main(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder / 'meet'}", rank=rank, world_size=2)
    found: dict[str, Any] = {
        f"{method} {name}": said(method, wrap)
        for method in ("triadaptlora", "increlora")
        for name, wrap in {"ddp": DistributedDataParallel, "bare": lambda model: model}.items()
    }
    found["fsdp"] = said("adalora", fully_shard)
    found["adalora"] = adalora_under_ddp(rank)
    (folder / f"{rank}.json").write_text(json.dumps(found))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
