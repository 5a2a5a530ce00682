"""Streamlit may end a script at any access to the session and run it anew, for another request came in: what a visitor
wishes for must survive that, wherever it happens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from stand_in import Manager, errors
from streamlit.proto.WidgetStates_pb2 import WidgetStates
from streamlit.runtime.scriptrunner import ScriptRunner, get_script_run_ctx
from streamlit.runtime.scriptrunner_utils.exceptions import RerunException
from streamlit.runtime.scriptrunner_utils.script_requests import RerunData
from streamlit.testing.v1 import AppTest


class Interruptions:
    """Counts the places where a script can be ended, and ends it once, at place `at` (0: nowhere)."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at = self.seen = 0
        self.names_widgets = True
        self.request = RerunData()
        outer, run_script = self, ScriptRunner._run_script
        look = ScriptRunner._maybe_handle_execution_control_request

        def run(runner: ScriptRunner, request: RerunData) -> None:
            outer.request = request
            run_script(runner, request)

        def handle(runner: ScriptRunner) -> None:
            context = get_script_run_ctx()
            # Before the script has started, what was pressed is pressed in the next request too.
            if runner._execing and context is not None and context.has_script_started:
                outer.seen += 1
                if outer.seen == outer.at:
                    raise RerunException(outer._next_request(context.query_string))
            look(runner)

        monkeypatch.setattr(ScriptRunner, "_run_script", run)
        monkeypatch.setattr(ScriptRunner, "_maybe_handle_execution_control_request", handle)

    def _next_request(self, query_string: str) -> RerunData:
        """What the browser sends next: the widgets as they are, no button pressed. Or none of them, as long as it has
        not drawn them."""
        if not self.names_widgets:
            return RerunData(query_string=query_string)
        widgets = self.request.widget_states
        if widgets is not None:
            widgets = WidgetStates(widgets=[w for w in widgets.widgets if w.WhichOneof("value") != "trigger_value"])
        return replace(self.request, query_string=query_string, widget_states=widgets)

    def during(self, at: int, act: Callable[[], AppTest]) -> AppTest:
        self.at, self.seen = at, 0
        app = act()
        self.at = 0
        return app


@pytest.fixture
def interruptions(monkeypatch: pytest.MonkeyPatch) -> Interruptions:
    return Interruptions(monkeypatch)


def test_an_arrival_that_is_interrupted_takes_up_the_whole_address(
    visit: Callable[..., AppTest],
    interruptions: Interruptions,
) -> None:
    def arrive() -> AppTest:
        return visit(method=["triadaptlora", "lora"], warmup="30", unheard_of="1")

    interruptions.during(0, arrive)
    places = interruptions.seen
    assert places > 100
    for at in (*range(2, 70, 4), *range(70, places, 24)):  # closer together where a page is entered
        app = interruptions.during(at, arrive)
        assert app.session_state["method"] == ["triadaptlora", "lora"], at
        assert app.query_params["method"] == ["triadaptlora", "lora"], at
        assert app.slider(key="warmup").value == 30, at
        assert "unheard_of" in errors(app), at
        assert not app.button(key="run_button").disabled, at


def test_a_press_on_run_that_is_interrupted_starts_one_race(
    visit: Callable[..., AppTest],
    manager: Manager,
    interruptions: Interruptions,
) -> None:
    app = visit(method="lora")

    def press() -> AppTest:
        return app.button(key="run_button").click().run()

    interruptions.during(0, press)
    places = interruptions.seen
    for at in range(1, places, 7):
        before = len(manager.submitted)
        interruptions.during(at, press)
        assert len(manager.submitted) == before + 1, at
        assert not app.error, at


def test_a_press_before_the_browser_has_drawn_the_methods_starts_the_methods_of_the_address(
    visit: Callable[..., AppTest],
    manager: Manager,
    interruptions: Interruptions,
) -> None:
    app = visit(method="lora", warmup="30")
    interruptions.names_widgets = False
    interruptions.during(1, lambda: app.button(key="run_button").click().run())
    ((config,),) = manager.submitted
    assert (config.method, config.warmup) == ("lora", 30)


def test_what_the_browser_has_not_drawn_is_told_again(visit: Callable[..., AppTest]) -> None:
    """Otherwise the browser draws the widget empty, and its next request says so."""
    app = visit(method="lora", task="text", warmup="30")
    app._run(WidgetStates())
    methods, task, warmup = app.button_group(key="method"), app.selectbox(key="task"), app.slider(key="warmup")
    assert methods.value == ["lora"] and methods.proto.set_value
    assert task.value == "text" and task.proto.set_value
    assert warmup.value == 30 and warmup.proto.set_value
