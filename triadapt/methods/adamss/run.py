"""Drives PEFT's AdaMSS and decides itself which subspaces are frozen.

PEFT 0.21 gathers the importance; its own mask keeps what is above the score that was to be reached instead of what
reaches it, which is one subspace fewer, none for a target of 1. A frozen subspace has no gradient, so it is never
weighed again and AdamW passes it over, weight decay included; its share of dW stays.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from peft import AdamssConfig, PeftConfig, PeftModel
from torch import nn

from triadapt.methods.adamss.groups import GROUPS_FILE, groups_of, save_groups, set_groups, set_sizes
from triadapt.methods.adamss.plan import freezing_schedule, target_subspaces
from triadapt.methods.adamss.settings import Settings
from triadapt.methods.growing import check_finite
from triadapt.methods.interface import RankDecision
from triadapt.methods.linear_only import check_linear_only
from triadapt.methods.peft_run import PeftRun

if TYPE_CHECKING:
    from triadapt.config import AllocationConfig
    from triadapt.events import Matrix

AVERAGES = ("exp_avg_ipt_A", "exp_avg_unc_A", "exp_avg_ipt_B", "exp_avg_unc_B")


class Run(PeftRun):
    """AdaMSS: subspaces of the outputs with a small product each; the least important are frozen."""

    def __init__(
        self, model: PeftModel, matrices: list[Matrix], config: AllocationConfig, adapter: str = "default"
    ) -> None:
        super().__init__(model, matrices, config, adapter)
        self.settings = _settings(config)
        counts = [layer.num_subspaces[self.adapter] for layer in self.layers]
        self.schedule = freezing_schedule(config, len(matrices), sum(counts))
        # One unit is one subspace: its matrix, its place there, whether it still trains.
        self.units = [(index, place) for index, count in enumerate(counts) for place in range(count)]
        self.unit_matrix = np.array([index for index, _ in self.units], np.uint16)
        self.unit_ranks = self._unit_ranks()
        self.live = np.ones(len(self.units), bool)

    @classmethod
    def adapt(
        cls, model: nn.Module, matrices: list[Matrix], config: AllocationConfig, modules_to_save: list[str]
    ) -> PeftModel:
        check_linear_only(model, matrices, "adamss", "AdaMSS")
        for line in _settings(config).misfits([matrix.shape for matrix in matrices]):
            raise ValueError(line)
        return super().adapt(model, matrices, config, modules_to_save)

    @classmethod
    def config_for(cls, config: AllocationConfig, matrices: list[Matrix]) -> PeftConfig:
        peft_config: Any = super().config_for(config, matrices)
        peft_config.r = _settings(config).components_of([matrix.shape for matrix in matrices])
        return peft_config

    @classmethod
    def peft_config(cls, config: AllocationConfig, targets: list[str]) -> PeftConfig:
        settings, schedule = _settings(config), freezing_schedule(config, len(targets))
        return AdamssConfig(
            r=settings.components or AdamssConfig.r,
            num_subspaces=settings.subspaces,
            subspace_rank=settings.subspace_rank,
            use_asa=schedule.freezes,
            asa_target_subspaces=target_subspaces(config, len(targets)),
            init_warmup=schedule.warmup,
            final_warmup=schedule.final,
            mask_interval=schedule.interval,
            asa_importance_beta=settings.importance_beta,
            asa_uncertainty_beta=settings.uncertainty_beta,
            asa_schedule_exponent=settings.schedule_exponent,
            random_seed=config.seed,
            target_modules=targets,
        )

    @classmethod
    def values_of(cls, config: PeftConfig) -> dict[str, Any]:
        own = {
            "components": config.r, "subspaces": config.num_subspaces, "subspace_rank": config.subspace_rank,
            "adaptive": config.use_asa,
        }  # fmt: skip
        if not config.use_asa:
            return {"adamss": own}
        own |= {
            "importance_beta": config.asa_importance_beta, "uncertainty_beta": config.asa_uncertainty_beta,
            "schedule_exponent": config.asa_schedule_exponent,
        }  # fmt: skip
        return {"warmup": config.init_warmup, "interval": config.mask_interval, "adamss": own}

    def _pair(self, index: int, place: int) -> tuple[nn.Parameter, nn.Parameter]:
        """A `(r, R)` and B `(rows, r)` of a subspace."""
        layer = self.layers[index]
        return layer.adamss_A[self.adapter][place], layer.adamss_B[self.adapter][place]

    def _unit_ranks(self) -> NDArray[np.int64]:
        return np.array([len(self._pair(*unit)[0]) for unit in self.units], np.int64)

    def _of_matrices(self, values: NDArray[Any]) -> NDArray[Any]:
        """Sums over the subspaces of each matrix, `(n,)`."""
        return np.bincount(self.unit_matrix, weights=values, minlength=len(self.layers))

    def ranks(self) -> NDArray[np.uint16]:
        """Ranks of the subspaces that still train."""
        return self._of_matrices(self.unit_ranks * self.live).astype(np.uint16)

    def shortfalls(self) -> list[tuple[str, str]]:
        rank, small = self.settings.subspace_rank, int((self.unit_ranks < self.settings.subspace_rank).sum())
        if not small:
            return []
        told = (
            f"adamss.subspace_rank = {rank}: k-means gave {small} of {len(self.units)} subspaces fewer outputs than "
            f"that, so there are {int(self.unit_ranks.sum())} ranks, not {rank * len(self.units)}, and its plan and "
            f"size are the most there can be."
        )
        return [(told, "Lower `adamss.subspace_rank` or `adamss.subspaces` where that matters.")]

    def recorded_ranks(self) -> NDArray[np.uint16]:
        # What is frozen stays part of dW.
        return self._of_matrices(self.unit_ranks).astype(np.uint16)

    def parameter_count(self) -> int:
        return sum(
            part.numel() for unit, live in zip(self.units, self.live, strict=True) if live for part in self._pair(*unit)
        )

    def unit_scores(self) -> NDArray[np.float32] | None:
        """Importance of each subspace: of A and of B the mean of importance times uncertainty, added. 0 for those that
        are frozen; None where nothing has been gathered."""
        scores, known = np.zeros(len(self.units), np.float32), False
        for number, (index, place) in enumerate(self.units):
            layer = self.layers[index]
            averages = [getattr(layer, name).get(self.adapter) for name in AVERAGES]
            if not self.live[number] or any(held is None or held[place] is None for held in averages):
                continue
            ipt_A, unc_A, ipt_B, unc_B = (held[place] for held in averages)
            scores[number], known = float((ipt_A * unc_A).mean() + (ipt_B * unc_B).mean()), True
        return scores if known else None

    def scores(self) -> NDArray[np.float32] | None:
        units = self.unit_scores()
        return None if units is None else self._of_matrices(units).astype(np.float32)

    def event_is_due(self, step: int) -> bool:
        schedule = self.schedule
        return schedule.freezes and schedule.warmup < step <= schedule.final and step % schedule.interval == 0

    def after_step(self, step: int) -> RankDecision | None:
        schedule, settings = self.schedule, self.settings
        if not schedule.freezes or not schedule.warmup <= step <= schedule.final:
            return None
        for layer in self.layers:
            layer.update_importance(self.adapter, settings.importance_beta, settings.uncertainty_beta)
        if step % schedule.interval:
            return None
        decision = self._freeze(step) if self.event_is_due(step) else None
        for layer in self.layers:
            layer.reset_importance(self.adapter)  # the next mask goes by what follows this one
        return decision

    def _freeze(self, step: int) -> RankDecision | None:
        """Leave so many subspaces training as the schedule allows after `step`, the most important ones."""
        scores = self.unit_scores()
        if scores is None:
            return None
        of_matrices = self._of_matrices(scores).astype(np.float32)
        check_finite(of_matrices, self.matrices, step)
        allowed, before = self.schedule.allowed(step), self.ranks()
        # Of equals the first stays; what is frozen comes last.
        order = np.lexsort((np.arange(len(scores)), -scores, ~self.live))
        kept = order[: min(allowed, int(self.live.sum()))]
        live = np.zeros(len(self.units), bool)
        live[kept] = True
        self._set_live(live & self.live)
        change = before.astype(int) - self.ranks().astype(int)
        chosen = tuple(int(i) for i in np.argsort(-change, kind="stable") if change[i] > 0)
        return RankDecision(
            rule="budget",
            scores=self._of_matrices(scores * self.live).astype(np.float32),
            threshold=float(scores[kept[-1]]) if chosen else 0.0,
            allowed=allowed,
            chosen=chosen,
            unit_scores=scores,
            unit_matrix=self.unit_matrix,
        )

    def _set_live(self, live: NDArray[np.bool_]) -> None:
        """Let only these subspaces train; what the optimizer kept for the others is dropped."""
        optimizer = getattr(self, "optimizer", None)
        for unit, lives in zip(self.units, live, strict=True):
            for part in self._pair(*unit):
                part.requires_grad_(bool(lives))
                if not lives:
                    part.grad = None
                    if optimizer is not None:
                        optimizer.state.pop(part, None)
        self.live = live

    def factors(self, index: int) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor, torch.Tensor]:
        B, A = self._dense(index)
        return B, None, A, torch.zeros(0)

    @torch.no_grad()
    def _dense(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        """B `(out, r)`, each subspace in its own rows and columns, and A `(r, in)`; the column of the bias left out."""
        layer, adapter = self.layers[index], self.adapter
        pairs = [self._pair(index, place) for place in range(layer.num_subspaces[adapter])]
        A = torch.cat([A for A, _ in pairs]) @ layer.adamss_newB[adapter].to(pairs[0][0].dtype)
        blocks = torch.block_diag(*(B for _, B in pairs))
        B = torch.zeros_like(blocks)
        B[layer.scatter_index[adapter].to(B.device)] = blocks
        return B, A[:, : layer.in_features]

    def save_beside(self, folder: Path, inside: str) -> None:
        named = zip(self.matrices, self.layers, strict=True)
        save_groups({one.name.removeprefix(inside): groups_of(layer, self.adapter) for one, layer in named}, folder)

    def loading_code(self, loaded: str, folder: str) -> tuple[str, list[str], str]:
        return (
            f'with_saved_groups({loaded}, "{folder}")',
            ["from triadapt.methods.adamss.groups import with_saved_groups"],
            f"PEFT's own file does not say which output belongs to which subspace: `PeftModel.from_pretrained` finds "
            f"groups anew, on another machine often others, and the adapter is then silently wrong. "
            f"`with_saved_groups` puts back those of the training, from `{folder}/{GROUPS_FILE}`. For PEFT alone, take "
            f"the lora form.",
        )

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        tensors = {"live": torch.from_numpy(self.live.copy())}
        for index, layer in enumerate(self.layers):
            # k-means and the singular vectors come out otherwise under other threads.
            tensors[f"groups/{index}"] = groups_of(layer, self.adapter)
            tensors[f"newB/{index}"] = layer.adamss_newB[self.adapter]
        for index, place in self.units:
            for name in AVERAGES:
                held = getattr(self.layers[index], name).get(self.adapter)
                if held is not None and held[place] is not None:
                    tensors[f"{name}/{index}/{place}"] = held[place]
        return tensors, {"sizes": [[len(B) for B in layer.adamss_B[self.adapter]] for layer in self.layers]}

    def restore_shapes(self, extra: dict[str, Any]) -> None:
        for layer, sizes in zip(self.layers, extra["sizes"], strict=True):
            set_sizes(layer, self.adapter, sizes, self.settings.subspace_rank)
        self.unit_ranks = self._unit_ranks()

    def load_state(self, tensors: dict[str, torch.Tensor], extra: dict[str, Any]) -> None:
        for index, layer in enumerate(self.layers):
            set_groups(layer, self.adapter, tensors[f"groups/{index}"])
            layer.adamss_newB[self.adapter].copy_(tensors[f"newB/{index}"])
        self._set_live(tensors["live"].bool().numpy())
        for index, place in self.units:
            for name in AVERAGES:
                held = getattr(self.layers[index], name).get(self.adapter)
                if held is not None:
                    value = tensors.get(f"{name}/{index}/{place}")
                    held[place] = None if value is None else value.to(self._pair(index, place)[0].device)


def _settings(config: AllocationConfig) -> Settings:
    settings = config.method_settings
    assert isinstance(settings, Settings)
    return settings
