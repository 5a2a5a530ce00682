"""Trials on a Ray cluster end up in the same run files; a node that dies loses nothing that was finished."""

import importlib.util
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from triadapt.events import Checkpointed, RankEvent, Step
from triadapt.runs.reader import RunReader
from triadapt.sweeps.config import RaySection, SweepConfig, parse_sweep
from triadapt.sweeps.coordinator import Coordinator
from triadapt.sweeps.library import new_study
from triadapt.sweeps.record import StudyRecord
from triadapt.sweeps.study import TrialReader

if importlib.util.find_spec("ray") is None:
    pytest.skip("needs the extra ray", allow_module_level=True)

from triadapt.sweeps.backends import BackendError
from triadapt.sweeps.ray_backend import RayBackend

SLOW_SESSIONS = "slow_sessions:open_sessions"
STORE = 80 * 1024 * 1024


class TwoNodes:
    """A cluster of two nodes of one CPU each on this machine. `kill` ends the second as a power cut would."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster  # noqa: PLC0415

        node: dict[str, Any] = {"num_cpus": 1, "object_store_memory": STORE}
        self._cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
        self._second = self._cluster.add_node(**node)
        self.address: str = self._cluster.address

    def kill(self) -> None:
        self._cluster.remove_node(self._second, allow_graceful=False)

    def close(self) -> None:
        self._cluster.shutdown()


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[TwoNodes]:
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    # Both nodes on the loopback address, as Ray has it where it takes no cluster for granted.
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    monkeypatch.setattr("ray._private.ray_constants.ENABLE_RAY_CLUSTER", False)
    here = str(Path(__file__).parent)  # where the nodes find the stand-in sessions
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([here, os.environ.get("PYTHONPATH", "")]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Ray's own modules, about Ray
        cluster = TwoNodes()
        yield cluster
        cluster.close()


def study(address: str) -> SweepConfig:
    return parse_sweep({
        "base": {"steps": 40, "eval_every": 5, "warmup": 2}, "space": {"interval": [3, 5, 7]}, "seeds": 2, "on": "ray",
        "ray": {"address": address},
    })  # fmt: skip


def test_a_study_on_two_nodes_finishes_though_one_is_killed(nodes: TwoNodes, tmp_path: Path) -> None:
    config = study(nodes.address)
    folder = new_study(tmp_path, config)
    killed: list[int] = []

    def kill_once(record: StudyRecord) -> None:
        running = sum(trial.state == "running" for trial in record.trials)
        if not killed and running == 2 and record.info.counts.get("complete", 0) >= 2:
            killed.append(record.info.counts["complete"])
            nodes.kill()

    backend = RayBackend(config.ray, open_sessions=SLOW_SESSIONS)
    info = Coordinator(folder, SLOW_SESSIONS, backend, on_change=kill_once).run()
    trials = TrialReader(folder).records()
    assert killed and info.state == "finished"
    assert [trial.state for trial in trials] == ["complete"] * 6
    assert len({(str(trial.point), trial.seed) for trial in trials}) == 6
    assert sum(trial.attempts for trial in trials) >= 7  # what ran on the dead node was tried again
    for trial in trials:
        events = [stamped.event for stamped in RunReader(tmp_path / trial.run).events()]
        assert [event.step for event in events if isinstance(event, Step)] == list(range(40))
        ranks = [event.step for event in events if isinstance(event, RankEvent)]
        assert ranks == list(range(int(trial.point["interval"]), 40, int(trial.point["interval"])))
        files = [event.file for event in events if isinstance(event, Checkpointed)]
        assert files and all((tmp_path / trial.run / "checkpoints" / name).is_file() for name in files)


def test_a_cluster_that_cannot_be_reached_is_one_line() -> None:
    with pytest.raises(BackendError, match=r"ray\.address = '127\.0\.0\.1:1': cannot be reached .*ray start --head"):
        RayBackend(RaySection(address="127.0.0.1:1"))
