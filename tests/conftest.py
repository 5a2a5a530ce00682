"""One thread for every test and the processes it starts, and property tests that run the same everywhere."""

import os

# Read by torch when it is first imported, so nothing has to import it here.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"

import pytest
from hypothesis import settings

settings.register_profile("triadapt", deadline=None, max_examples=100, derandomize=True)
settings.load_profile("triadapt")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest file first, so that no process is left alone with it when tests run in several."""
    items.sort(key=lambda item: item.path.name != "test_workers_killed.py")
