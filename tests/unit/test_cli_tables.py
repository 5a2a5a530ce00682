"""Tables on the command line."""

import pytest
from rich.table import Table

from triadapt.cli_train import print_table


def test_brackets_in_a_name_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("name", "error")
    table.add_row("ablation [/final]", "lr [1e-3] [bold]x")
    print_table(table, "[/x]")
    shown = capsys.readouterr().out
    assert "ablation [/final]" in shown and "lr [1e-3] [bold]x" in shown and "[/x]" in shown
