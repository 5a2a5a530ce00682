"""AdaMSS and its slow twin train alike, and freeze the same subspaces."""

from typing import Any

import numpy as np
import pytest
import torch
from test_twins import Race, config_of, leaf

from triadapt.reference import AdamssTwin, Subspace

STEPS = 60


@pytest.mark.parametrize("subspace_rank", [1, 2])
def test_adamss(subspace_rank: int) -> None:
    settings = {"subspaces": 4, "subspace_rank": subspace_rank, "final_share": 0.5, "schedule_exponent": 2.0}
    race = Race(config_of("adamss", adamss=settings, interval=5))
    run: Any = race.run
    for layer in race.layers:
        layer.dtype = torch.float64  # PEFT computes in the type the base had when it was wrapped

    def subspaces(layer: Any) -> list[Subspace]:
        pairs = zip(layer.adamss_A["default"], layer.adamss_B["default"], strict=True)
        return [
            Subspace(layer.seg_result["default"][place].tolist(), leaf(A), leaf(B))
            for place, (A, B) in enumerate(pairs)
        ]

    race.set_twin(
        AdamssTwin(
            {n: layer.adamss_newB["default"].detach() for n, layer in zip(race.names, race.layers, strict=True)},
            {n: subspaces(layer) for n, layer in zip(race.names, race.layers, strict=True)},
            run.settings.importance_beta,
            run.settings.uncertainty_beta,
        )
    )
    masks = 0
    for step in range(STEPS):
        fast, decision = race.fast_step(step)
        slow = race.slow_loss(step)
        race.slow.step()
        if run.schedule.warmup <= step <= run.schedule.final:
            race.twin.observe()
        if decision is not None:
            masks += 1
            assert decision.allowed == run.schedule.allowed(step)
            np.testing.assert_allclose(race.twin.scores(), decision.unit_scores, rtol=1e-4, atol=1e-20)
            race.twin.freeze(decision.allowed)
            assert [one.live for one in race.twin.all()] == run.live.tolist()
        if step >= run.schedule.warmup and step % run.schedule.interval == 0:
            race.twin.forget()
        race.slow.zero_grad()
        race.compare(step, fast, slow)
    assert masks >= 5
    assert run.live.sum() == run.schedule.target
    race.compare_outputs()
