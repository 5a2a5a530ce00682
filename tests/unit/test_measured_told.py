"""What is told of a run without a rank of its own, outside the board and the comparison."""

from __future__ import annotations

import gzip
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from compare_runs import config, events, stamped, store

from triadapt import cli
from triadapt.events import Geometry, Started
from triadapt.figures.print_heatmap import heatmap_svg, print_heatmap
from triadapt.imports.any_path import import_path
from triadapt.runs import schema
from triadapt.runs.bundle import read_bundle, write_bundle
from triadapt.runs.export import export
from triadapt.runs.info import RunError
from triadapt.runs.reader import RunReader
from triadapt.runs.scalar_tags import EFFECTIVE, scalars_of
from triadapt.runs.summary import summary
from triadapt.ui.run_rows import Row, cells
from triadapt.views.final_ranks import first_and_final_ranks, rank_panels

STATES = [[0, 0, 0, 0], [5, 7, 6, 8], [9, 7, 6, 8]]
GROWN = [[1, 1, 1, 1], [2, 1, 1, 1]]


@pytest.fixture
def surm(tmp_path: Path) -> RunReader:
    return RunReader(tmp_path / store(tmp_path, config("surm"), STATES))


def test_a_summary_says_that_its_ranks_were_measured_and_holds_nothing_against_them(surm: RunReader) -> None:
    found = summary(surm)
    assert (found["rank_kind"], found["final_ranks"], found["total_rank"]) == ("measured", STATES[-1], 30)
    assert found["recovery"] is None and found["target_total_rank"] is None


def test_before_anything_is_measured_its_ranks_are_zero_whatever_is_recorded_of_the_spectrum() -> None:
    rows = stamped([*events(config("surm"), STATES[:1]), Geometry(40, np.full(4, 64, np.uint16))])
    started = rows[0].event
    assert isinstance(started, Started)
    ranks, start = first_and_final_ranks(rows, started)
    assert ranks is not None and start is not None and ranks.tolist() == start.tolist() == [0, 0, 0, 0]


def test_a_picture_says_so_and_its_colours_are_those_of_the_ranks_that_were_allotted(
    surm: RunReader, tmp_path: Path
) -> None:
    grown = RunReader(tmp_path / store(tmp_path, config(), GROWN))
    panels = rank_panels([(run.info(), run.events()) for run in (grown, surm)])
    assert [panel.effective for panel in panels] == [False, True]
    figure = print_heatmap(panels)
    assert figure.layout.coloraxis.cmax == 2
    assert "effective rank 30" in heatmap_svg(panels) and "total rank 5" in heatmap_svg(panels)


def test_a_log_names_effective_ranks_as_such_and_none_comes_back_as_a_total_rank(
    surm: RunReader, tmp_path: Path
) -> None:
    tags = {tag: value for _, scalars in scalars_of(surm.events()) for tag, value in scalars.items()}
    assert [tags[f"{EFFECTIVE}m{i}"] for i in range(4)] == STATES[-1]
    assert not [tag for tag in tags if tag.startswith("Ranknum/") or tag == "Budget/total_rank"]
    (file,) = export([surm], tmp_path / "out", ["tensorboard"])
    with pytest.raises(RunError, match="without a rank of its own tells only effective ranks"):
        import_path(tmp_path / "again", file)


def test_the_command_line_and_the_list_of_runs_call_them_effective(
    surm: RunReader, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store(tmp_path, config(), GROWN)
    info = surm.info()
    assert cli.main(["runs", "--runs", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "effective 30" in text and "5 of 5" in text and "of 0" not in text
    assert cli.main(["show", info.id, "--events", "--runs", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "total rank: effective 30" in text and "measured: effective ranks, total 26" in text
    assert "rank event" not in text
    assert cells(Row(info.id, (info,)), {})["Total rank"] == "effective 30"


def test_the_end_of_a_training_and_a_preview_name_no_rank_that_nobody_chose(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = [
        f"--set=planted.{name}" for name in ("blocks=1", "width=16", "heads=2", "tokens=4", "pool=64", "held_out=16")
    ]
    assert cli.main(["preview", "--method", "surm,lora", *small]) == 0
    first, second = (line for line in capsys.readouterr().out.splitlines() if "parameters" in line)
    assert first.startswith("SURM: no rank of its own, ") and first.endswith(" parameters")
    assert "rank 12 to 12" in second
    options = ["--method", "surm", "--steps", "10", "--set", "geometry_every=5", "--set", "device=cpu", *small]
    assert cli.main(["train", *options, "--runs", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "effective " in text and "of 0" not in text


def test_files_from_before_a_choice_of_rank_kinds_are_read_by_their_method(surm: RunReader, tmp_path: Path) -> None:
    assert surm.info().rank_kind == "measured"
    bundle = tmp_path / "one.jsonl.gz"
    write_bundle(bundle, [surm])
    (again,) = read_bundle(bundle)
    assert again.info().rank_kind == "measured"
    lines = gzip.decompress(bundle.read_bytes()).replace(b',"rank_kind":"measured"},"events"', b'},"events"')
    bundle.write_bytes(gzip.compress(lines))
    (older,) = read_bundle(bundle)
    assert older.info().rank_kind == "" and older.info().told_rank() == "effective 30"
    assert surm.folder is not None
    with closing(sqlite3.connect(surm.folder / schema.FILE)) as connection, connection:
        progress = schema.get_meta(connection)["progress"]
        del progress["rank_kind"]
        schema.put_meta(connection, {"progress": progress})
    assert surm.info().rank_kind == "" and not surm.info().allotted
