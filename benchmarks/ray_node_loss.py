"""A study of 75 trials on a Ray cluster of two nodes, of which one is killed half-way: what is lost, what is repeated.

Both nodes are on this machine, of one CPU each; the kill is a SIGKILL to the raylet of the second. The study is
docs/studies/planted.toml. Needs the extra `ray`.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.tables import Table, main
from triadapt.config import load_toml
from triadapt.runs.library import list_runs
from triadapt.runs.reader import RunReader
from triadapt.sweeps.config import SweepConfig, parse_sweep
from triadapt.sweeps.coordinator import Coordinator
from triadapt.sweeps.library import new_study
from triadapt.sweeps.record import StudyRecord, read_study
from triadapt.sweeps.space import key

STUDY = Path(__file__).parents[1] / "docs" / "studies" / "planted.toml"
QUICK_SPACE = {"warmup": [2, 6], "interval": [1, 2]}
STORE = 80 * 1024 * 1024
# Both nodes on the loopback address, as Ray has it where it takes no cluster for granted. Read when Ray is imported.
ENVIRONMENT = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0"}


@dataclass(frozen=True)
class TwoNodes:
    """A cluster on this machine. `second` can be killed; the study's coordinator is connected to the other."""

    cluster: Any
    second: Any

    def kill(self) -> None:
        """End the second node as a power cut would: its raylet takes the actors with it."""
        self.second.kill_raylet()

    def alive(self) -> int:
        """Nodes that the cluster still counts."""
        return sum(node["Alive"] for node in self.cluster.global_state.node_table())


@contextmanager
def two_nodes() -> Iterator[TwoNodes]:
    """Two nodes of one CPU each. Raises RuntimeError without Ray."""
    if importlib.util.find_spec("ray") is None:
        raise RuntimeError('needs the extra ray: pip install "triadapt[ray]"')
    os.environ.update(ENVIRONMENT)
    from ray.cluster_utils import Cluster  # noqa: PLC0415

    node: dict[str, Any] = {"num_cpus": 1, "object_store_memory": STORE}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    try:
        yield TwoNodes(cluster, cluster.add_node(**node))
    finally:
        cluster.shutdown()


def study(address: str, quick: bool) -> SweepConfig:
    """The study, on the cluster at `address`."""
    values = load_toml(STUDY) | {"on": "ray", "ray": {"address": address}}
    return parse_sweep({**values, "space": QUICK_SPACE, "seeds": 2} if quick else values)


def check(runs: Path, record: StudyRecord) -> None:
    """Every trial has one run, in which each step stands once. Raises RuntimeError."""
    if sorted(info.id for info in list_runs(runs)) != sorted(trial.run for trial in record.trials):
        raise RuntimeError("the runs are not those of the trials")
    for trial in record.trials:
        steps, _, _ = RunReader(runs / trial.run).losses()
        if steps != list(range(record.config.base["steps"])):
            raise RuntimeError(f"trial {trial.number}: steps are missing or stand twice")


def measure(quick: bool = False) -> list[Table]:
    """One row: the study with a node killed."""
    killed_at: list[int] = []
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as place, two_nodes() as nodes:
        warnings.simplefilter("ignore")  # of Ray's own modules, about Ray
        runs, config = Path(place), study(nodes.cluster.address, quick)
        folder = new_study(runs, config)

        def kill_half_way(record: StudyRecord) -> None:
            counts = record.info.counts
            half = 2 * counts.get("complete", 0) >= record.info.trials
            if not killed_at and half and counts.get("running", 0) == 2:
                killed_at.append(counts["complete"])
                nodes.kill()

        start = time.perf_counter()
        info = Coordinator(folder, on_change=kill_half_way).run()
        seconds = time.perf_counter() - start
        record, left = read_study(folder), nodes.alive()
        if info.state != "finished" or not killed_at:
            raise RuntimeError(f"the study ended {info.state} ({info.message}), kills: {len(killed_at)}")
        check(runs, record)
    trials = record.trials
    distinct = {(key(trial.point), trial.seed) for trial in trials}
    row = (
        len(trials),
        sum(trial.state == "complete" for trial in trials),
        len(trials) - len(distinct),
        sum(trial.attempts > 1 for trial in trials),
        seconds,
        left,
    )
    note = (
        f"The node was killed when {killed_at[0]} trials were complete and two were running. Each trial has one run, "
        f"in which each of the {config.base['steps']} steps stands once."
    )
    columns = ("trials", "complete", "duplicates", "tried again", "seconds", "nodes left")
    return [Table("A study on two Ray nodes, one of them killed half-way", columns, [row], [note])]


if __name__ == "__main__":
    sys.exit(main("ray_node_loss", __doc__.splitlines()[0], measure))
