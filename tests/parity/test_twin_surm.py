"""SURM and its slow twin, whose structured matrices are put down entry by entry, train alike in float64."""

import pytest
from test_twins import Race, config_of, leaf

from triadapt.methods.surm.sizes import STRUCTURES
from triadapt.reference import SurmTwin

STEPS = 60


@pytest.mark.parametrize("structure", STRUCTURES)
def test_surm(structure: str) -> None:
    settings = {"structure": structure, "displacement_rank": 2}
    race = Race(config_of("surm", steps=STEPS, surm=settings))
    start = {
        name: {part: leaf(values) for part, values in layer.parts("default").items()}
        for name, layer in zip(race.names, race.layers, strict=True)
    }
    shapes = {matrix.name: matrix.shape for matrix in race.matrices}
    race.set_twin(SurmTwin(start, shapes, race.config.alpha / race.config.reference_rank))
    losses = []
    for step in range(STEPS):
        fast, decision = race.fast_step(step)
        assert decision is None
        slow = race.slow_loss(step)
        race.slow.step()
        race.slow.zero_grad()
        assert slow == pytest.approx(fast, rel=1e-6), step
        losses.append(fast)
    assert sum(losses[-10:]) < 0.9 * sum(losses[:10])
    race.compare_outputs()
