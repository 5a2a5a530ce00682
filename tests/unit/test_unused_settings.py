"""What a method's settings call unused changes nothing of its training."""

from typing import Any

import pytest
from tiny_runs import advance, opened, tiny

from triadapt.config import RunConfig, parse_config
from triadapt.events import Step
from triadapt.methods.registry import METHODS
from triadapt.views.compare.configuration import flat
from triadapt.views.methods.own_settings import unused_by

OTHER: dict[str, Any] = {
    "reference_rank": 2, "alpha": 3.0, "warmup": 5, "interval": 4, "growth": "linear", "surm.displacement_rank": 3,
    "surm.factor": 2, "adamss.final_share": 0.5, "adamss.importance_beta": 0.5, "adamss.uncertainty_beta": 0.5,
    "adamss.schedule_exponent": 1.0,
}  # fmt: skip
VARIANTS: list[tuple[str, dict[str, Any]]] = [
    *((method, {}) for method in METHODS if method != "qlora"),  # it trains as LoRA does
    ("adamss", {"adaptive": False}),
    *(("surm", {"structure": structure}) for structure in ("kronecker", "circulant", "toeplitz")),
    ("loha", {"rank": 3}),
    ("tiedlora", {"rank": 3}),
]
STEPS = 14


def losses(config: RunConfig) -> list[float]:
    events = advance(opened(config), STEPS)
    return [event.loss for event in events if isinstance(event, Step)]


@pytest.mark.parametrize(("method", "own"), VARIANTS)
def test_what_is_unused_changes_no_loss(method: str, own: dict[str, Any]) -> None:
    config = tiny(method, **{method: own})
    values, scale = config.as_dict(), config.alpha / config.reference_rank
    unused = [*unused_by(method, flat(values)), *(["reference_rank"] if own.get("rank") else [])]
    for name in unused:
        section, _, field = name.rpartition(".")
        (values[section] if section else values)[field or section] = OTHER[name]
    if "alpha" not in unused:
        values["alpha"] = scale * values["reference_rank"]
    if unused:
        assert losses(parse_config(values)) == losses(config)
