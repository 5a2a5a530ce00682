"""Full fine-tuning on the planted task: what it changed in one planted matrix, and how much in each."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file

from triadapt.config import parse_config
from triadapt.lessons.races import SMALL, nested
from triadapt.lessons.recordings import CHANGE_FILE
from triadapt.tasks.planted.settings import Settings
from triadapt.tasks.planted.task import PlantedTask

FILE = CHANGE_FILE
STEPS, RATE, BATCH, SEED = 3000, 1e-3, 64, 7
"""SEED is not that of the lessons' races, so that it tells nothing of these, and plants on matrices of the MLP alone: of
two that work as a pair, such as q and k, either may take up a change of the other."""


def train_in_full(path: Path) -> Path:
    """Train every entry of every matrix, and write `planted` `(out, in)`, `W` after less `W` before, of a
    planted matrix; `norms` `(n,)`, the Frobenius norms of all changes; and `metric` `(1,)`, the relative loss at the end."""
    settings = parse_config(nested(SMALL)).task_settings
    assert isinstance(settings, Settings)
    torch.set_num_threads(1)
    task = PlantedTask(settings, seed=SEED, batch_size=BATCH, steps=STEPS, device="cpu")
    model = task.build_model()
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    trained = [model.get_parameter(f"{matrix.name}.weight") for matrix in task.matrices()]
    for weight in trained:
        weight.requires_grad_(True)
    optimizer = torch.optim.AdamW(trained, lr=RATE, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, STEPS)
    for step in range(STEPS):
        torch.autograd.backward(task.loss(model, task.batch(step)))
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    with torch.no_grad():
        metric = task.evaluate(model)[task.metric]
    after = dict(model.named_parameters())
    changes = [
        (after[f"{one.name}.weight"] - before[f"{one.name}.weight"]).detach().double() for one in task.matrices()
    ]
    planted = next(i for i, one in enumerate(task.matrices()) if one.planted_rank)
    tensors = {
        "planted": changes[planted].half(),
        "norms": torch.tensor([float(change.norm()) for change in changes]),
        "metric": torch.tensor([metric]),
    }
    save_file(tensors, str(path))
    return path
