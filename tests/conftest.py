"""One thread for every test and the processes it starts, and property tests that run the same everywhere."""

import os
from collections.abc import Iterator

# Read by torch when it is first imported, so nothing has to import it here.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"

import pytest
from hypothesis import settings
from nursery import Nursery

settings.register_profile("triadapt", deadline=None, max_examples=100, derandomize=True)
settings.load_profile("triadapt")


# What processes take first when tests run in several: the longest files, so that none is left alone with one, and those
# that wait for a browser beside those that compute.
FIRST = (
    "test_play.py", "test_learn.py", "test_workers_killed.py", "test_trainer_callback.py", "test_rank_growth.py",
    "test_text_task.py", "test_board.py", "test_sweep_ray.py", "test_sweeps_killed.py", "test_tune.py",
    "test_sweeps_coordinator.py",
    "test_rank_recorder_parallel.py", "test_board_panels.py", "test_rank_recorder.py", "test_hub.py", "test_compare.py",
    "test_rank_growth_parallel.py", "test_own_scripts.py", "test_tour.py", "test_board_live.py", "test_lab.py",
    "test_classroom.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bring the tests into the order in which processes take their files."""
    place = {name: at for at, name in enumerate(FIRST)}
    items.sort(key=lambda item: place.get(item.path.name, len(FIRST)))


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Starts processes that have imported what a worker or a training with the Trainer needs."""
    nursery = Nursery(["triadapt.workers.sessions:warm_up", "transformers.trainer"])
    yield nursery
    nursery.close()
