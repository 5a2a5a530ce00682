"""VeRA and its slow twin train alike."""

from test_twins import Race, config_of, leaf

from triadapt.reference import VeraTwin

STEPS = 60


def test_vera() -> None:
    race = Race(config_of("vera", vera={"rank": 6, "lr_scale": 1.0}))
    first = race.layers[0]
    race.set_twin(
        VeraTwin(
            first.vera_A["default"],
            first.vera_B["default"],
            {n: leaf(layer.vera_lambda_b["default"]) for n, layer in zip(race.names, race.layers, strict=True)},
            {n: leaf(layer.vera_lambda_d["default"]) for n, layer in zip(race.names, race.layers, strict=True)},
            {matrix.name: matrix.shape[1] for matrix in race.matrices},
        )
    )
    for step in range(STEPS):
        fast, decision = race.fast_step(step)
        assert decision is None
        slow = race.slow_loss(step)
        race.slow.step()
        race.slow.zero_grad()
        assert abs(slow - fast) <= 1e-6 * fast, step
    race.compare_outputs()
