"""The published initialisation that cannot learn: kept to be seen failing."""

from __future__ import annotations

import numpy as np

from triadapt import RunConfig, train
from triadapt.config import parse_config
from triadapt.events import Evaluation, RankEvent
from triadapt.growth.lints import lints


def config(**section: object) -> RunConfig:
    return parse_config(
        {"steps": 12, "warmup": 2, "interval": 3, "planted": {"blocks": 1, "pool": 64}, "triadaptlora": section}
    )


def test_nothing_moves_and_every_score_is_zero() -> None:
    events = list(train(config(init="zero")))
    metrics = [event.metrics["relative loss"] for event in events if isinstance(event, Evaluation)]
    assert len(metrics) > 1 and set(metrics) == {metrics[0]}
    decisions = [event for event in events if isinstance(event, RankEvent)]
    assert decisions and all(not np.any(event.scores) for event in decisions)


def test_a_living_start_learns() -> None:
    metrics = [e.metrics["relative loss"] for e in train(config()) if isinstance(e, Evaluation)]
    assert metrics[-1] < metrics[0]


def test_it_is_found_before_the_run_and_mended() -> None:
    found = {lint.code: lint for lint in lints(config(init="zero"), matrices=6)}
    assert found["dead"].changes == {"triadaptlora.init": "identity"}
    assert "dead" not in {lint.code for lint in lints(config(), matrices=6)}
