"""Saves without a model card, which would be most of the time of a save and only one test reads; and what a method's
contract says it cannot, skipped with its reason."""

from collections.abc import Callable

import pytest
from methods import CONTRACTS
from peft import PeftModel

WRITE_CARD = PeftModel.create_or_update_model_card


@pytest.fixture(autouse=True)
def no_model_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PeftModel, "create_or_update_model_card", lambda self, output_dir: None)


@pytest.fixture
def write_card() -> Callable[[PeftModel, str], None]:
    """What PEFT writes a model card with."""
    return WRITE_CARD


@pytest.fixture(autouse=True)
def within_limits(request: pytest.FixtureRequest) -> None:
    """Skip what the contract of the test's method names as a limit, with the reason given there."""
    values = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    contract = CONTRACTS.get(values.get("method", ""))
    if contract is None:
        return
    asked = [request.node.originalname, values.get("base")]
    asked += ["low_cpu_mem_usage"] if values.get("low_cpu_mem_usage") else []
    asked += ["four_bit"] if request.node.path.name == "test_four_bit.py" else []
    for limit in asked:
        if limit in contract.limits:
            pytest.skip(contract.limits[limit])
