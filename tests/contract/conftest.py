"""Saves without a model card: it would be most of the time of a save, and only one test reads it."""

from collections.abc import Callable

import pytest
from peft import PeftModel

WRITE_CARD = PeftModel.create_or_update_model_card


@pytest.fixture(autouse=True)
def no_model_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PeftModel, "create_or_update_model_card", lambda self, output_dir: None)


@pytest.fixture
def write_card() -> Callable[[PeftModel, str], None]:
    """What PEFT writes a model card with."""
    return WRITE_CARD
