"""LoHa and its slow twin train alike."""

import pytest
from test_twins import Race, config_of, leaf

from triadapt.methods.loha.run import PARTS
from triadapt.reference import LohaTwin

STEPS = 60


@pytest.mark.parametrize("rank", [0, 2])
def test_loha(rank: int) -> None:
    race = Race(config_of("loha", reference_rank=4, loha={"rank": rank}))
    pairs = [
        {n: leaf(getattr(layer, part)["default"]) for n, layer in zip(race.names, race.layers, strict=True)}
        for part in PARTS
    ]
    # The scale is that of the other methods, whatever the rank of its products.
    race.set_twin(LohaTwin(*pairs, alpha=race.config.alpha / 4 * (rank or 4)))
    for step in range(STEPS):
        fast, decision = race.fast_step(step)
        assert decision is None
        slow = race.slow_loss(step)
        race.slow.step()
        race.slow.zero_grad()
        assert abs(slow - fast) <= 1e-6 * fast, step
    race.compare_outputs()
