"""What the pages call the fields of a configuration."""

from __future__ import annotations

import pytest

from triadapt.config import parse_config
from triadapt.methods.registry import METHODS
from triadapt.runs.branch import may_change
from triadapt.ui.branch_fields import FIRST
from triadapt.ui.fields import in_page_words, label


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("warmup = 580: must be below 450", "Warm-up (warmup) = 580: must be below 450"),
        ("interval = 50: lower interval or warmup", "Interval = 50: lower interval or Warm-up (warmup)"),
        ("raise add_r, or choose another growth mode", "raise Ranks a growth (add_r), or choose another growth mode"),
        ("Lower `learning_rate` or `alpha`.", "Lower Learning rate (learning_rate) or Alpha."),
        ("(steps and adalora.final_share)", "(steps and AdaLoRA's final share (adalora.final_share))"),
        ("planted.blocks = 0: too few", "Blocks (planted.blocks) = 0: too few"),
        ("no step at which the growth is linear", "no step at which the growth is linear"),
    ],
)
def test_a_line_about_fields_names_what_the_page_shows(line: str, said: str) -> None:
    assert in_page_words(line) == said
    assert in_page_words(said) == said or "(" in said


@pytest.mark.parametrize("method", METHODS)
def test_every_field_that_a_branch_may_change_has_a_name_on_the_page(method: str) -> None:
    names = may_change(parse_config({"method": method}))
    called = [label(name) for name in names]
    assert len(set(called)) == len(called) and not any("_" in one or "." in one for one in called)
    assert set(names) & set(FIRST)
