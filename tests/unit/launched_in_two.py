"""A training that accelerate starts in two processes, and what RankRecorder makes of it. Run by the tests.

accelerate launch --multi_gpu --num_processes 2 tests/unit/launched_in_two.py FOLDER
"""

import hashlib
import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import train_with_trainer as script
from peft import get_peft_model
from torch.nn.parallel import DistributedDataParallel

from triadapt import RankRecorder

STEPS = 40


def adalora(folder: Path, *, recorded: bool) -> dict[str, Any]:
    """Train; what was decided, the weights at the end, and where it was recorded."""
    trainer, growing = script.trainer("adalora", "adamw_torch", folder, STEPS, ddp_find_unused_parameters=False)
    recorder = RankRecorder(runs=folder / "runs")
    if recorded:
        trainer.add_callback(recorder)
    trainer.train()
    assert growing.growth is not None and isinstance(trainer.model_wrapped, DistributedDataParallel)
    digest = hashlib.sha256()
    for _, weight in sorted(trainer.model.named_parameters()):
        digest.update(weight.detach().numpy().tobytes())
    return {
        "allocations": [[a.step, a.decision.threshold, a.ranks.tolist()] for a in growing.growth.allocations],
        "weights": digest.hexdigest(),
        "folder": recorder.folder.name if recorder.folder else None,
    }


def refused(folder: Path, *, recorded: bool) -> str:
    """What the Trainer says to a method that changes shapes."""
    trainer, _ = script.trainer("triadaptlora", "adamw_torch", folder, STEPS)
    if recorded:
        trainer.add_callback(RankRecorder(runs=folder / "runs"))
    try:
        trainer.train()
    except ValueError as error:
        return str(error)
    return ""


def recorder_alone(folder: Path) -> dict[str, Any]:
    """A loop over an adapter that nothing grows: it trains on, and the recorder says what is missing."""
    model: Any = get_peft_model(script.base(), script.adapter("triadaptlora", STEPS)[0])
    wrapped = DistributedDataParallel(model)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    rows, taken = script.rows(8), 0
    with warnings.catch_warnings(record=True) as said, RankRecorder(model, optimizer, runs=folder / "runs"):
        warnings.simplefilter("always")
        for _ in range(3):
            ids, labels = (torch.stack([torch.as_tensor(row[key]) for row in rows]) for key in ("input_ids", "labels"))
            wrapped(input_ids=ids, labels=labels).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            taken += 1
    return {"steps": taken, "said": [str(one.message) for one in said if "RankRecorder" in str(one.message)]}


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    rank = int(os.environ["RANK"])
    found = {
        "recorded": adalora(folder, recorded=True),
        "alone": adalora(folder, recorded=False),
        "refused": [refused(folder, recorded=recorded) for recorded in (True, False)],
        "recorder alone": recorder_alone(folder),
    }
    (folder / f"{rank}.json").write_text(json.dumps(found))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
