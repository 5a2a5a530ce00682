"""The planted-rank task: find low-rank changes whose place and rank are known."""

from __future__ import annotations

import copy
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from triadapt.events import Matrix
from triadapt.tasks.planted.network import MODULES, Network, initialise
from triadapt.tasks.planted.settings import Settings


class PlantedTask:
    """Regression of a frozen transformer to a teacher: the same network plus `dW*` of known rank on some matrices.

    The metric is the held-out loss over that of the unadapted student: 1 at the start, 0 when the teacher is met.
    Inputs are a fixed pool of Gaussian tokens; the teacher's outputs over it are computed once.
    """

    metric = "relative loss"
    higher_is_better = False
    modules_to_save: list[str] = []  # noqa: RUF012
    pretrained = ""
    pretrained_name = ""
    loaded_by = ""
    head = ""

    def __init__(self, settings: Settings, *, seed: int, batch_size: int, steps: int, device: str) -> None:
        self.settings, self.seed, self.batch_size, self.device = settings, seed, batch_size, device
        generator = torch.Generator().manual_seed(seed)
        self._student = Network(settings.blocks, settings.width, settings.heads)
        initialise(self._student, generator)
        teacher = copy.deepcopy(self._student)
        self._matrices = self._plant(teacher, generator)
        rows = settings.pool + settings.held_out
        inputs = torch.randn(rows, settings.tokens, settings.width, generator=generator)
        noise = settings.noise * torch.randn(inputs.shape, generator=generator)
        self._student.to(device)
        targets = self._outputs(teacher.to(device), inputs)
        start = self._outputs(self._student, inputs[settings.pool :])
        self._inputs, self._held_inputs = inputs.to(device).split([settings.pool, settings.held_out])
        targets, self._held_targets = targets.split([settings.pool, settings.held_out])
        self._targets = targets + noise[: settings.pool].to(device)
        self._start_loss = float(F.mse_loss(start, self._held_targets))
        self._order: tuple[int, torch.Tensor] | None = None

    def _plant(self, teacher: Network, generator: torch.Generator) -> list[Matrix]:
        settings = self.settings
        names = [(layer, module) for layer in range(settings.blocks) for module in MODULES]
        shuffled = torch.randperm(len(names), generator=generator).tolist()
        order = {"random": shuffled, "first": list(range(len(names))), "last": list(range(len(names)))[::-1]}
        planted = set(order[settings.where][: settings.planted_count()])
        matrices = []
        for index, (layer, module) in enumerate(names):
            name = f"blocks.{layer}.{module}"
            weight = teacher.get_submodule(name).weight
            assert isinstance(weight, torch.Tensor)
            rank = min(settings.planted_rank, *weight.shape) if index in planted else 0
            if rank:
                B = torch.linalg.qr(torch.randn(weight.shape[0], rank, generator=generator)).Q
                A = torch.linalg.qr(torch.randn(weight.shape[1], rank, generator=generator)).Q
                scale = settings.strength * torch.linalg.matrix_norm(weight, ord=2)
                # Singular values fall linearly, so that a first few directions matter more, as in practice.
                values = scale * torch.linspace(1.0, 0.5, rank)
                with torch.no_grad():
                    weight += (B * values) @ A.T
            matrices.append(Matrix(name, layer, module, (weight.shape[0], weight.shape[1]), rank))
        return matrices

    @torch.no_grad()
    def _outputs(self, network: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
        return torch.cat([network(part.to(self.device)) for part in inputs.split(256)])

    def build_model(self) -> nn.Module:
        return copy.deepcopy(self._student)

    def matrices(self) -> list[Matrix]:
        return list(self._matrices)

    def batch(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Inputs and targets `(batch, tokens, width)` of a step; each epoch is a permutation of the pool."""
        per_epoch = self.settings.pool // self.batch_size
        epoch, place = divmod(step, per_epoch)
        if self._order is None or self._order[0] != epoch:
            generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
            self._order = (epoch, torch.randperm(self.settings.pool, generator=generator).to(self.device))
        rows = self._order[1][place * self.batch_size : (place + 1) * self.batch_size]
        return self._inputs[rows], self._targets[rows]

    def loss(self, model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        inputs, targets = batch
        return F.mse_loss(model(inputs), targets)

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        outputs = torch.cat([model(part) for part in self._held_inputs.split(256)])
        loss = float(F.mse_loss(outputs, self._held_targets))
        return {self.metric: loss / self._start_loss if self._start_loss > 0 else 0.0, "loss": loss}

    def baselines(self) -> dict[str, float]:
        return {"unadapted": 1.0}

    def describe(self) -> dict[str, Any]:
        return {"pool": self.settings.pool, "held_out": self.settings.held_out, "start_loss": self._start_loss}
