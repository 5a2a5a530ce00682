"""Drives PEFT's AdaLoRA and keeps its defects away from the run.

PEFT 0.21 adds its orthogonality term to any loss the model returns, in evaluation too: the session takes the loss from
logits, and the term is added here, in training only. It reads the live rank from masks, not from entries of E that are
not zero, because masked entries come back between two masks. It keeps the mask to itself until training ends: PEFT cuts
what it saves to the mask and then cannot load it into the full size that a resume needs. A parameter without gradient
and a skipped finalisation, both of which make PEFT raise, cannot happen here; a start rank not above the target is
refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from peft import AdaLoraConfig, PeftConfig, PeftModel

from triadapt.growth import adalora_budget
from triadapt.growth.preview import pruning_schedule
from triadapt.methods.adalora.settings import Settings
from triadapt.methods.growing import check_finite
from triadapt.methods.interface import RankDecision
from triadapt.methods.orthogonality import orthogonality
from triadapt.methods.peft_run import PeftRun

if TYPE_CHECKING:
    from triadapt.config import AllocationConfig
    from triadapt.events import Matrix

PARTS = ("lora_A", "lora_B", "lora_E")


class Run(PeftRun):
    """AdaLoRA (arXiv 2303.10512): starts wide, masks the triplets with the smallest sensitivity."""

    core_kind = "diagonal"

    def __init__(
        self, model: PeftModel, matrices: list[Matrix], config: AllocationConfig, adapter: str = "default"
    ) -> None:
        super().__init__(model, matrices, config, adapter)
        self.settings, self.schedule = _settings(config), pruning_schedule(config)
        self.pattern: dict[str, list[bool]] | None = None
        self._followed: dict[str, list[bool]] | None = None
        self._last_scores: torch.Tensor | None = None
        self.kept = torch.ones(len(matrices), self.schedule.init_rank, dtype=torch.bool)
        names = {id(parameter): name for name, parameter in self.tuner.model.named_parameters()}
        # Names by which PEFT's allocator keys its averages, one dict a matrix.
        self.names = [{part: names[id(getattr(layer, part)[self.adapter])] for part in PARTS} for layer in self.layers]

    @classmethod
    def peft_config(cls, config: AllocationConfig, targets: list[str]) -> PeftConfig:
        schedule, settings = pruning_schedule(config), _settings(config)
        return AdaLoraConfig(
            init_r=schedule.init_rank,
            target_r=config.reference_rank,
            # PEFT divides by the start rank; the scale meant is the same as that of the other methods.
            lora_alpha=config.alpha * schedule.init_rank / config.reference_rank,
            lora_dropout=config.adapter_dropout,
            tinit=schedule.tinit,
            tfinal=schedule.tfinal,
            deltaT=schedule.delta,
            beta1=settings.beta1,
            beta2=settings.beta2,
            orth_reg_weight=settings.orthogonality,
            total_step=schedule.total_step,
            target_modules=targets,
            bias="none",
        )

    @classmethod
    def values_of(cls, config: PeftConfig) -> dict[str, Any]:
        if config.rank_pattern:
            raise ValueError("rank_pattern: this AdaLoRA adapter is pruned already; wrap the base model anew to train")
        if config.init_r <= config.target_r:
            raise ValueError(
                f"init_r = {config.init_r}: must be above target_r = {config.target_r}; AdaLoRA starts wide and prunes"
            )
        return {
            "steps": config.total_step,
            "reference_rank": config.target_r,
            "warmup": config.tinit,
            "interval": config.deltaT,
            "adalora": {
                "init_rank_ratio": config.init_r / config.target_r,
                "final_share": config.tfinal / config.total_step,
                "beta1": config.beta1,
                "beta2": config.beta2,
                "orthogonality": config.orth_reg_weight,
            },
        }

    def ranks(self) -> NDArray[np.uint16]:
        return self.kept.sum(dim=1).numpy().astype(np.uint16)

    def parameter_count(self) -> int:
        return sum(
            int(rank) * (sum(matrix.shape) + 1) for rank, matrix in zip(self.ranks(), self.matrices, strict=True)
        )

    def regulariser(self) -> torch.Tensor | None:
        if self.settings.orthogonality == 0:
            return None
        rows = [layer.lora_A[self.adapter] for layer in self.layers]
        columns = [layer.lora_B[self.adapter] for layer in self.layers]
        return self.settings.orthogonality * orthogonality(rows, columns)

    @torch.no_grad()
    def triplet_scores(self) -> torch.Tensor | None:
        """Score of every triplet `(n, init_rank)`: `s(E) + mean s(A) + mean s(B)`; None before the first gradient."""
        allocator = self.tuner.rankallocator
        if not allocator.exp_avg_ipt:
            return None
        scores = []
        for names in self.names:
            A, B, E = (allocator._element_score(names[part]).float() for part in PARTS)
            scores.append(E.flatten() + A.mean(dim=1) + B.mean(dim=0))
        return torch.stack(scores).cpu()

    def scores(self) -> NDArray[np.float32] | None:
        triplets = self.triplet_scores()
        return None if triplets is None else (triplets * self.kept).sum(dim=1).numpy()

    def after_step(self, step: int) -> RankDecision | None:
        for layer in self.layers:
            for part in PARTS:
                parameter = getattr(layer, part)[self.adapter]
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
        final = step == self.schedule.final_step
        # The averages are cleared at the final mask and updated within the call at any other.
        triplets = self.triplet_scores() if final else None
        self._allocate(step)
        if not self.event_is_due(step):
            return None
        triplets = self.triplet_scores() if triplets is None else triplets
        if triplets is None or self.pattern is None:
            return None
        check_finite(triplets.sum(dim=1).numpy(), self.matrices, step)
        schedule = self.schedule
        budget = adalora_budget(
            step,
            init_total=schedule.init_rank * len(self.layers),
            target_total=self.config.reference_rank * len(self.layers),
            tinit=schedule.tinit,
            tfinal=schedule.tfinal,
            total_step=schedule.total_step,
        )
        return self._decision(triplets, self.pattern, budget)

    def follow(self, step: int) -> RankDecision | None:
        pattern = self.tuner.peft_config[self.adapter].rank_pattern or None
        fresh = pattern is not self._followed  # PEFT makes a new one at each mask
        near_the_end = abs(step - self.schedule.final_step) <= 1
        # PEFT updates the averages when it masks, so those of now are those it masked by; at the end it clears them.
        triplets = self.triplet_scores() if fresh or near_the_end else None
        triplets = self._last_scores if triplets is None else triplets
        self._last_scores = triplets if near_the_end else None
        if not fresh or pattern is None or triplets is None:
            return None
        self._followed = pattern
        return self._decision(triplets, pattern, sum(sum(pattern[names["lora_E"]]) for names in self.names))

    def _decision(self, triplets: torch.Tensor, pattern: dict[str, list[bool]], budget: int) -> RankDecision:
        """What a mask has changed. triplets: scores it went by, `(n, init_rank)`. budget: how many it was to keep."""
        before, self.kept = self.kept, torch.tensor([pattern[names["lora_E"]] for names in self.names])
        changed = (before.sum(dim=1) - self.kept.sum(dim=1)).abs()
        chosen = tuple(int(i) for i in torch.argsort(-changed, stable=True) if changed[i] > 0)
        flat = triplets.flatten()
        return RankDecision(
            rule="budget",
            scores=(triplets * self.kept).sum(dim=1).numpy().astype(np.float32),
            threshold=float(torch.kthvalue(flat, len(flat) - budget).values) if budget < len(flat) else 0.0,
            allowed=budget,
            chosen=chosen,
            unit_scores=flat.numpy().astype(np.float32),
            unit_matrix=np.repeat(np.arange(len(self.layers), dtype=np.uint16), self.schedule.init_rank),
        )

    def event_is_due(self, step: int) -> bool:
        schedule = self.schedule
        return step == schedule.final_step or (
            schedule.tinit < step < schedule.final_step and step % schedule.delta == 0
        )

    def _allocate(self, step: int) -> None:
        config = self.tuner.peft_config[self.adapter]
        config.rank_pattern = self.pattern
        try:
            self.tuner.update_and_allocate(step)
        finally:
            self.pattern, config.rank_pattern = config.rank_pattern, None

    def close(self) -> None:
        """Cut what is saved from now on to the triplets kept, and the model to the same."""
        if self.pattern is not None:
            self.tuner.rankallocator.mask_using_rank_pattern(self.tuner.model, self.pattern)
            self.tuner.peft_config[self.adapter].rank_pattern = self.pattern

    def factors(self, index: int) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor, torch.Tensor]:
        layer, kept = self.layers[index], self.kept[index]
        A, B, E = (getattr(layer, part)[self.adapter].detach().cpu() for part in PARTS)
        scale = layer.scaling[self.adapter] / (float(layer.ranknum[self.adapter]) + 1e-5)
        return B[:, kept] * scale, None, A[kept] * E[kept], E[kept]

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        allocator = self.tuner.rankallocator
        tensors = {"kept": self.kept}
        for field in ("ipt", "exp_avg_ipt", "exp_avg_unc"):
            tensors.update({f"{field}/{name}": value for name, value in getattr(allocator, field).items()})
        return tensors, {"rank_pattern": self.pattern}

    def load_state(self, tensors: dict[str, torch.Tensor], extra: dict[str, Any]) -> None:
        allocator = self.tuner.rankallocator
        self.kept = tensors["kept"].bool()
        device = self.layers[0].lora_A[self.adapter].device
        for field in ("ipt", "exp_avg_ipt", "exp_avg_unc"):
            prefix = f"{field}/"
            loaded = {k.removeprefix(prefix): v.to(device) for k, v in tensors.items() if k.startswith(prefix)}
            setattr(allocator, field, loaded)
        self.pattern = extra["rank_pattern"]


def _settings(config: AllocationConfig) -> Settings:
    settings = config.method_settings
    assert isinstance(settings, Settings)
    return settings
