"""PEFT adapter folders as runs, and archives of what can be imported."""

from __future__ import annotations

import gzip
import io
import json
import re
import stat
import tarfile
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from foreign_files import PATHS, adalora_log, adapter, lora_adapter, pruned_ranks, zipped
from peft import AdaLoraConfig, LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from torch import nn

from triadapt import IncreLoraConfig, TriAdaptLoraConfig, cli
from triadapt.events import Geometry, RankEvent, Started, Warned
from triadapt.imports import archive
from triadapt.imports.any_path import import_path
from triadapt.runs.bundle import read_bundle, recorded_races
from triadapt.runs.info import RunError
from triadapt.runs.library import list_runs
from triadapt.runs.reader import RunReader
from triadapt.views.board import run_frame
from triadapt.views.compare.frame import compare_frame
from triadapt.views.compare.record import record_of, same_matrices
from triadapt.views.compare.table import side_by_side
from triadapt.views.frames import unpack
from triadapt.views.health import findings


def imported(runs: Path, path: Path) -> RunReader:
    (run_id,) = import_path(runs, path)
    return RunReader(runs / run_id)


def parts(reader: RunReader) -> tuple[Started, RankEvent, Geometry | None, list[str]]:
    events = [s.event for s in reader.events()]
    (started,) = [e for e in events if isinstance(e, Started)]
    (ranks,) = [e for e in events if isinstance(e, RankEvent)]
    geometry = next((e for e in events if isinstance(e, Geometry)), None)
    return started, ranks, geometry, [e.message for e in events if isinstance(e, Warned)]


def test_an_adapter_is_a_finished_run_of_without_steps(tmp_path: Path) -> None:
    ranks = [1, 2, 3, 4, 5, 6, 7, 8]
    reader = imported(tmp_path / "runs", lora_adapter(tmp_path / "mine", ranks))
    info, (started, event, geometry, notes) = reader.info(), parts(reader)
    assert (info.name, info.state, info.method, info.total_rank) == ("LoRA, mine", "finished", "lora", 36)
    assert info.without_steps and not info.resumable and info.origin == "imported from mine"
    assert {matrix.shape for matrix in started.matrices} == {(16, 8)} and started.data["model"] == "some/base"
    by_name = dict(zip([matrix.name for matrix in started.matrices], event.ranks.tolist(), strict=True))
    assert by_name == dict(zip(PATHS, ranks, strict=True))
    assert geometry is not None and len(geometry.singular) == 36 and "tells nothing" in notes[0]
    assert run_frame(info.id, reader.events(), after=0, generation=0, status={"state": info.state})["events"]
    record = record_of(reader.events())
    assert record is not None and record.ranks.tolist() == [event.ranks.tolist()]
    assert not findings(s.event for s in reader.events())


class Net(nn.Module):
    """Two blocks of two linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.ModuleList(nn.ModuleDict({"q": nn.Linear(12, 10), "v": nn.Linear(10, 12)}) for _ in range(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block in self.layer:
            assert isinstance(block, nn.ModuleDict)
            x = block["v"](block["q"](x))
        return x


CONFIGS: dict[str, Any] = {
    "lora": lambda: LoraConfig(target_modules=["q", "v"], r=3, rank_pattern={"layer.1.q": 5}, alpha_pattern={"v": 2}),
    "rslora": lambda: LoraConfig(target_modules=["q", "v"], r=3, use_rslora=True),
    "adalora": lambda: AdaLoraConfig(target_modules=["q", "v"], init_r=4, target_r=2, total_step=10),
    "triadaptlora": lambda: TriAdaptLoraConfig(target_modules=["q", "v"], init_r=3, reference_rank=4),
    "increlora": lambda: IncreLoraConfig(target_modules=["q", "v"], init_r=2, reference_rank=4, scale="rank"),
}


@pytest.mark.filterwarnings("ignore:The following rank_pattern keys")  # PEFT looks for AdaLoRA's as for LoRA's
@pytest.mark.parametrize("name", CONFIGS)
def test_singular_values_are_those_of_the_change_that_peft_loads(tmp_path: Path, name: str) -> None:
    torch.manual_seed(0)
    model = get_peft_model(Net(), CONFIGS[name]())
    with torch.no_grad():
        for parameter in (one for one in model.parameters() if one.requires_grad):
            parameter.normal_()
    if name == "adalora":
        pruned = [[True, False, True, True], [True] * 4, [False, False, False, True], [True, True, False, False]]
        paths = ["layer.0.q", "layer.0.v", "layer.1.q", "layer.1.v"]
        pattern = {f"{path}.lora_E": mask for path, mask in zip(paths, pruned, strict=True)}
        model.base_model.resize_modules_by_rank_pattern(pattern, "default")
        model.peft_config["default"].rank_pattern = pattern
    model.save_pretrained(tmp_path / name)
    started, event, geometry, _ = parts(imported(tmp_path / "runs", tmp_path / name))
    assert geometry is not None
    loaded = PeftModel.from_pretrained(Net(), str(tmp_path / name))
    at = 0
    for matrix, rank in zip(started.matrices, event.ranks, strict=True):
        layer = loaded.base_model.model.get_submodule(matrix.name)
        change = layer.get_delta_weight("default").detach()
        assert matrix.shape == tuple(change.shape)
        expected = torch.linalg.svdvals(change.double())[: int(rank)].numpy()
        np.testing.assert_allclose(geometry.singular[at : at + rank], expected, rtol=2e-3, atol=1e-4)
        at += int(rank)


def test_masks_of_adalora_say_what_is_left(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    tensors = {
        f"base_model.model.{PATHS[0]}.lora_{part}": rng.normal(size=shape).astype(np.float32)
        for part, shape in (("A", (4, 8)), ("B", (16, 4)), ("E", (4, 1)))
    }
    config = {
        "peft_type": "ADALORA",
        "target_r": 2,
        "rank_pattern": {f"model.{PATHS[0]}.lora_E": [True, False, True, True]},
    }
    started, event, _, _ = parts(imported(tmp_path / "runs", adapter(tmp_path / "ada", config, tensors)))
    assert event.ranks.tolist() == [3] and started.target_total_rank == 2


def test_half_precision_is_read_and_dora_has_no_spectrum(tmp_path: Path) -> None:
    lora_adapter(tmp_path / "half")
    path = tmp_path / "half" / "adapter_model.safetensors"
    save_file({name: tensor.bfloat16() for name, tensor in load_file(path).items()}, path)
    assert parts(imported(tmp_path / "runs", tmp_path / "half"))[2] is not None
    reader = imported(tmp_path / "runs", lora_adapter(tmp_path / "dora", use_dora=True))
    assert parts(reader)[2] is None and "DoRA" in parts(reader)[3][1]


def test_the_one_adapter_below_a_folder_is_taken_and_several_are_named(tmp_path: Path) -> None:
    lora_adapter(tmp_path / "all" / "adapter")
    assert imported(tmp_path / "runs", tmp_path / "all").info().name == "LoRA, all"
    lora_adapter(tmp_path / "all" / "other")
    line = "adapters are in folders below it (adapter, other); name one of them"
    with pytest.raises(RunError, match=re.escape(line)):
        import_path(tmp_path / "runs", tmp_path / "all")


def refused(runs: Path, path: Path) -> str:
    with pytest.raises(RunError) as error:
        import_path(runs, path)
    line = str(error.value)
    assert line.isprintable() and not list_runs(runs)
    return line


def test_adapters_that_are_none_cost_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = tmp_path / "runs"
    whole = lora_adapter(tmp_path / "whole")
    weights = whole / "adapter_model.safetensors"
    data = weights.read_bytes()
    assert "there is no such" in refused(runs, tmp_path / "gone")
    weights.write_bytes(data[:-1])
    assert "do not fit together" in refused(runs, whole)
    weights.write_bytes(b"\xff" * 100)
    assert "its header does not fit" in refused(runs, whole)
    weights.unlink()
    assert "adapter_model.safetensors is missing" in refused(runs, whole)
    (whole / "adapter_model.bin").write_bytes(b"a pickle")
    line = refused(runs, whole)
    assert "a pickle, which is not opened; save the adapter with safetensors" in line
    assert cli.main(["import", str(whole), "--runs", str(runs)]) == 2
    assert capsys.readouterr().err == f"triadapt: {line}\n"
    (whole / "adapter_config.json").write_text('{"peft_type": "IA3"}')
    assert "peft_type = 'IA3': adapters of LORA, ADALORA" in refused(runs, whole)
    (whole / "adapter_config.json").write_text("{")
    assert "not JSON" in refused(runs, whole)
    path = tmp_path / "large" / "adapter_model.safetensors"
    lora_adapter(tmp_path / "large")
    with open(path, "r+b") as file:
        file.truncate(2 * 2**30)
    assert "2048 MB; at most 1024 MB" in refused(runs, tmp_path / "large")


def test_what_can_be_imported_can_be_imported_from_an_archive(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    (race,) = [race.path for race in recorded_races() if race.slug == "healthy-race"]
    log = next(adalora_log(tmp_path / "log", pruned_ranks()).iterdir())
    made = lora_adapter(tmp_path / "made")
    names = {f"made/{file.name}": file.read_bytes() for file in made.iterdir()}
    assert len(import_path(runs, zipped(tmp_path / "a.zip", names))) == 1
    assert len(import_path(runs, zipped(tmp_path / "b.zip", {f"x/y/{log.name}": log.read_bytes()}))) == 1
    assert len(import_path(runs, zipped(tmp_path / "c.zip", {race.name: race.read_bytes()}))) == len(read_bundle(race))
    with tarfile.open(tmp_path / "d.tar.gz", "w:gz") as file:
        file.add(made, "made")
    assert imported(runs, tmp_path / "d.tar.gz").info().name == "LoRA, d.tar.gz"
    assert "nothing to import in it" in refused(tmp_path / "none", zipped(tmp_path / "e.zip", {"a.txt": b"a"}))


@pytest.mark.parametrize("name", ["../out", "/tmp/out", "a/../../out", "C:\\out", "a\\b", "a\nb", "x" * 500])
def test_archives_never_write_outside(tmp_path: Path, name: str) -> None:
    assert "leads out of a folder" in refused(tmp_path / "runs", zipped(tmp_path / "a.zip", {name: b"x"}))
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as file:
        file.addfile(tarfile.TarInfo(name), io.BytesIO())
    assert "leads out of a folder" in refused(tmp_path / "runs", tmp_path / "a.tar.gz")


def test_links_bombs_and_crowds_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = tmp_path / "runs"
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as file:
        link = zipfile.ZipInfo("link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(link, "/etc/passwd")
    assert "'link' is a link" in refused(runs, tmp_path / "link.zip")
    with tarfile.open(tmp_path / "link.tar.gz", "w:gz") as tar:
        member = tarfile.TarInfo("link")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(member)
    assert "'link' is a link" in refused(runs, tmp_path / "link.tar.gz")
    bomb = zipped(tmp_path / "bomb.zip", {"adapter_config.json": bytes(40 * 2**20)})
    assert "40 MB unpacked; at most 32 MB" in refused(runs, bomb)
    # One that declares less than it holds.
    data = bytearray(bomb.read_bytes())
    size = (40 * 2**20).to_bytes(4, "little")
    while (at := data.find(size)) >= 0:
        data[at : at + 4] = (1000).to_bytes(4, "little")
    bomb.write_bytes(data)
    assert refused(runs, bomb)
    with tarfile.open(tmp_path / "bomb.tar.gz", "w:gz") as tar:
        member = tarfile.TarInfo("zeros")
        member.size = 40 * 2**20
        tar.addfile(member, io.BytesIO(bytes(member.size)))
    assert "MB unpacked" in refused(runs, tmp_path / "bomb.tar.gz")
    monkeypatch.setattr(archive, "MOST_MEMBERS", 10)
    assert "more than 10 files" in refused(runs, zipped(tmp_path / "many.zip", {str(i): b"" for i in range(11)}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with zipfile.ZipFile(tmp_path / "twice.zip", "w") as file:
            file.writestr("a", "1")
            file.writestr("a", "2")
    assert "twice" in refused(runs, tmp_path / "twice.zip")


def test_a_bundle_that_is_a_bomb_is_refused(tmp_path: Path) -> None:
    line = json.dumps({"format": "triadapt-bundle", "version": 1, "runs": 1}) + "\n"
    path = tmp_path / "bomb.jsonl.gz"
    path.write_bytes(gzip.compress(line.encode() + b'{"a": 1}\n' * (4 * 2**20)))
    assert refused(tmp_path / "runs", path)
    path.write_bytes(gzip.compress(line.encode() + b" " * (40 * 2**20)))
    assert "larger than 32 MB unpacked" in refused(tmp_path / "runs", path)


def test_a_log_and_an_adapter_of_one_model_have_the_same_matrices(tmp_path: Path) -> None:
    log = imported(tmp_path / "runs", adalora_log(tmp_path / "log", pruned_ranks()))
    made = imported(tmp_path / "runs", lora_adapter(tmp_path / "made"))
    records = [(reader.info(), record_of(reader.events())) for reader in (log, made)]
    compared = side_by_side([(info, record) for info, record in records if record is not None])
    assert same_matrices(compared[0].record, compared[1].record)
    assert len(unpack(compare_frame(compared))["matrices"]) == 1
