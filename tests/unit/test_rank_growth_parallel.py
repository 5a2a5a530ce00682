"""Rank growth in two processes: the same decisions in both, or one line that says what to do."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from nursery import Nursery
from torch import nn

from triadapt import RankGrowthCallback
from triadapt.training.parallel_checks import UnsupportedParallel, check_parallel

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, nursery: Nursery) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("two")
    command = [sys.executable, str(Path(__file__).with_name("two_processes.py"))]
    with open(folder / "errors", "w") as errors:
        pair = [nursery.popen([*command, str(rank), str(folder)], stderr=errors, cwd=ROOT) for rank in range(2)]
        codes = [process.wait(200) for process in pair]
    assert codes == [0, 0], (folder / "errors").read_text()
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]


@pytest.mark.parametrize("case", ["triadaptlora ddp", "triadaptlora bare", "increlora ddp", "increlora bare"])
def test_growth_in_two_processes_is_refused_with_what_to_do(found: list[dict[str, Any]], case: str) -> None:
    for process in found:
        assert process[case].startswith("DistributedDataParallel: its gradient buckets keep the shapes")
        assert "train the adapter in one process" in process[case] and "use AdaLoRA" in process[case]


def test_shards_of_fixed_size_are_refused(found: list[dict[str, Any]]) -> None:
    for process in found:
        assert process["fsdp"].startswith("FSDP: ") and "train the adapter in one process" in process["fsdp"]


def test_adalora_decides_the_same_in_both_processes(found: list[dict[str, Any]]) -> None:
    first, second = (process["adalora"] for process in found)
    assert len(first) > 3 and first[0][2] != first[-1][2]
    assert first == second


class FullyShardedDataParallel(nn.Sequential):
    """Stands in for PyTorch's class of that name, which needs an accelerator to be made."""


def test_data_parallel_zero_and_the_first_fsdp_are_refused() -> None:
    with pytest.raises(UnsupportedParallel, match="FSDP: the model holds shards of fixed size"):
        check_parallel(FullyShardedDataParallel(nn.Linear(2, 2)), grows=False)
    with pytest.raises(UnsupportedParallel, match="DataParallel: its copies are lost after each step; train the"):
        check_parallel(nn.DataParallel(nn.Linear(2, 2)), grows=True)
    sharded = nn.Linear(2, 2)
    sharded.weight.ds_id = 3
    with pytest.raises(UnsupportedParallel, match="DeepSpeed ZeRO-3: weight is a shard of fixed size; train the"):
        check_parallel(sharded, grows=False)
    check_parallel(nn.Linear(2, 2), grows=True)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"fsdp": "full_shard"}, "TrainingArguments.fsdp: parameters are shards of fixed size"),
        ({"deepspeed": {"zero": 3}}, "TrainingArguments.deepspeed: parameters are shards of fixed size"),
        ({"n_gpu": 2}, "2 GPUs in one process make the Trainer use DataParallel"),
    ],
    ids=str,
)
def test_the_trainer_is_told_before_it_loads_anything(arguments: dict[str, Any], line: str) -> None:
    args: Any = SimpleNamespace(**({"fsdp": "", "deepspeed": None, "n_gpu": 1} | arguments))
    state: Any = None
    with pytest.raises(UnsupportedParallel) as caught:
        RankGrowthCallback(warmup=1, interval=1).on_init_end(args, state, state)
    assert str(caught.value).startswith(line)


def test_no_process_group_is_left_behind() -> None:
    assert not (torch.distributed.is_available() and torch.distributed.is_initialized())
