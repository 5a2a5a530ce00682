"""The pages over a folder of runs of their own. A file that needs another manager or another way in has fixtures of
these names itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from stand_in import Manager
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Manager:
    manager = Manager(tmp_path / "runs")
    monkeypatch.setattr("triadapt.ui.manager.manager", lambda: manager)
    monkeypatch.chdir(ROOT)
    return manager


@pytest.fixture
def visit(manager: Manager) -> Callable[..., AppTest]:
    def visit(page: str = "", **params: Any) -> AppTest:
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
        for name, value in params.items():
            app.query_params[name] = value
        app.run()
        if page:
            app.switch_page(page).run()
        assert not app.exception, app.exception
        return app

    return visit
