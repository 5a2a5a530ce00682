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


# The longest files come first, so that no process is left alone with one when tests run in several, and those that wait
# for a browser among those that compute. Seconds as measured on two cores, each of which ran tests.
SECONDS = {
    "test_play.py": 200, "test_board.py": 90, "test_workers_killed.py": 60, "test_tune.py": 60,
    "test_trainer_callback.py": 55, "test_board_panels.py": 45, "test_rank_growth.py": 40, "test_compare.py": 35,
    "test_sweep_ray.py": 35, "test_sweeps_killed.py": 30, "test_text_task.py": 30, "test_own_scripts.py": 25,
    "test_sweeps_coordinator.py": 25, "test_rank_recorder_parallel.py": 25, "test_rank_recorder.py": 20,
    "test_tour.py": 20, "test_classroom.py": 20,
    "test_hub.py": 15, "test_board_live.py": 15, "test_lab.py": 10, "test_rank_growth_parallel.py": 10,
}  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bring the tests into the order in which processes take their files."""
    items.sort(key=lambda item: -SECONDS.get(item.path.name, 0))


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Starts processes that have imported what a worker or a training with the Trainer needs."""
    nursery = Nursery(["triadapt.workers.sessions:warm_up", "transformers.trainer"])
    yield nursery
    nursery.close()
