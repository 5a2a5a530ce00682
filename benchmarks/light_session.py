"""A browser session without a browser: speaks with the server as Streamlit's page does, and draws nothing."""

from __future__ import annotations

import asyncio
import json
import random
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin, Subprotocol

LARGEST_MESSAGE = 64 * 2**20
ANSWER_SECONDS = 60.0
DRAWING_SECONDS = 0.4
"""Until a browser has drawn a board that came."""
BOARD = "triadapt_board"
MOVED = ("slider", "number_input", "button_group", "checkbox", "selectbox")


@dataclass
class LightSession:
    """One visitor. Timed fragments ask again as they do in a browser; values of widgets go along with every request."""

    address: str
    chance: random.Random
    query: str = ""
    page: str = ""
    pages: dict[str, str] = field(default_factory=dict)
    widgets: dict[str, tuple[str, Any]] = field(default_factory=dict)
    components: dict[str, tuple[str, str]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    fragments: int = 0
    received: int = 0
    _values: dict[str, WidgetState] = field(default_factory=dict)
    _copy: str = ""
    _begun: bool = False
    _awaited: str = ""
    _answers: set[asyncio.Task[None]] = field(default_factory=set)
    _timers: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _socket: ClientConnection | None = None
    _reader: asyncio.Task[None] | None = None
    _done: asyncio.Event = field(default_factory=asyncio.Event)

    async def open(self) -> None:
        """Connect."""
        parts = urlsplit(self.address)
        self._socket = await connect(
            f"ws://{parts.netloc}/_stcore/stream", subprotocols=[Subprotocol("streamlit")],
            origin=Origin(f"{parts.scheme}://{parts.netloc}"), max_size=LARGEST_MESSAGE, compression=None,
        )  # fmt: skip
        self._reader = asyncio.create_task(self._read())

    async def close(self) -> None:
        """Leave, as a tab that is closed."""
        self._stop_timers()
        if self._socket is not None:
            await self._socket.close()
        if self._reader is not None:
            self._reader.cancel()
            with suppress(asyncio.CancelledError):
                await self._reader

    async def visit(self, page: str, **query: str) -> float:
        """Go to a page by the name in its address. Returns the seconds until its script has run."""
        self.page, self.query = self.pages.get(page, ""), urlencode(query)
        self._values.clear()
        self._copy = ""
        return await self._ask(page)

    async def move(self) -> float | None:
        """Move some widget that is drawn, as a hand would. Returns the seconds until the script has run, None where
        there is nothing to move."""
        movable = [(name, *what) for name, what in self.widgets.items()]
        if not movable:
            return None
        name, kind, element = self.chance.choice(movable)
        value = WidgetState(id=name)
        if not _another_value(value, kind, element, self.chance):
            return None
        self._values[name] = value
        return await self._ask("")

    async def tell(self, component: str, **state: Any) -> float | None:
        """Let a component say something, as its script would. Returns the seconds until the fragment that draws it has
        run, None where it is not drawn."""
        if component not in self.components:
            return None
        name, fragment = self.components[component]
        self._values[name] = WidgetState(id=name, json_value=json.dumps(state))
        return await self._ask("", fragment)

    async def _ask(self, page: str, fragment: str = "") -> float:
        self._done.clear()
        self._begun, self._awaited = False, fragment
        start = time.perf_counter()
        await self._send(page, fragment, timed=False)
        async with asyncio.timeout(ANSWER_SECONDS):
            await self._done.wait()
        return time.perf_counter() - start

    async def _send(self, page: str = "", fragment: str = "", *, timed: bool = True) -> None:
        assert self._socket is not None
        message = BackMsg()
        state = message.rerun_script
        state.query_string, state.page_script_hash, state.page_name = self.query, self.page, page
        state.fragment_id, state.is_auto_rerun = fragment, timed and bool(fragment)
        state.widget_states.widgets.extend(self._values.values())
        state.context_info.url, state.context_info.color_scheme = self.address, "light"
        await self._socket.send(message.SerializeToString())

    async def _read(self) -> None:
        assert self._socket is not None
        async for data in self._socket:
            assert isinstance(data, bytes)
            self.received += len(data)
            self._take(ForwardMsg.FromString(data))

    def _take(self, message: ForwardMsg) -> None:
        run = message.metadata.run.fragment_ids
        whole, ours = not run, self._awaited in run if self._awaited else not run
        match message.WhichOneof("type"):
            case "new_session":
                # A fragment does not interrupt what runs, whose end is not always told when it begins at once.
                if self._begun and not whole:
                    self._end()
                self._begun = self._begun or ours or whole
                if whole:
                    self._stop_timers()
                    self.widgets.clear()
                    self.components.clear()
                    self.page = message.new_session.page_script_hash
            case "navigation":
                self.pages = {one.url_pathname: one.page_script_hash for one in message.navigation.app_pages}
                self.page = message.navigation.page_script_hash
            case "page_info_changed":
                self.query = message.page_info_changed.query_string
            case "auto_rerun":
                self._time(message.auto_rerun.fragment_id, message.auto_rerun.interval)
            case "stop_auto_rerun":
                for name in message.stop_auto_rerun.fragment_ids:
                    self._stop(name)
            case "delta":
                self._draw(message.delta.new_element, message.delta.fragment_id)
            case "script_finished":
                # A whole run does what was asked of a fragment, too.
                told = message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN
                if self._begun and told and (ours or whole):
                    self._end()

    def _end(self) -> None:
        self._begun, self._awaited = False, ""
        self._done.set()

    def _draw(self, element: Any, fragment: str) -> None:
        kind = element.WhichOneof("type")
        if kind == "bidi_component":
            component = element.bidi_component
            self.components[component.component_name] = component.id, fragment
            if component.component_name.endswith(BOARD) and component.bytes:
                self._hold(component, fragment)
        if kind == "exception":
            self.errors.append(f"{element.exception.type}: {element.exception.message}")
        if kind in MOVED:
            widget = getattr(element, kind)
            if not widget.disabled and not widget.form_id:
                self.widgets[widget.id] = kind, widget

    def _hold(self, component: Any, fragment: str) -> None:
        """Say that the board's full copy has arrived, as the board does: from then on it is sent what is new."""
        frame = component.bytes
        header = json.loads(frame[4 : 4 + int.from_bytes(frame[:4], "little")])
        if header.get("copy") in (None, self._copy):
            return
        self._copy = header["copy"]
        value = json.dumps({"have": self._copy})
        self._values[component.id] = WidgetState(id=component.id, json_value=value)
        self._answers.add(answer := asyncio.create_task(self._later(fragment)))
        answer.add_done_callback(self._answers.discard)

    async def _later(self, fragment: str) -> None:
        await asyncio.sleep(DRAWING_SECONDS)
        with suppress(ConnectionClosed):
            await self._send(fragment=fragment, timed=False)

    def _time(self, fragment: str, seconds: float) -> None:
        self._stop(fragment)
        self._timers[fragment] = asyncio.create_task(self._again(fragment, seconds))

    async def _again(self, fragment: str, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            self.fragments += 1
            await self._send(fragment=fragment)

    def _stop(self, fragment: str) -> None:
        if task := self._timers.pop(fragment, None):
            task.cancel()

    def _stop_timers(self) -> None:
        for fragment in list(self._timers):
            self._stop(fragment)


def _another_value(state: WidgetState, kind: str, widget: Any, chance: random.Random) -> bool:
    """Whether the widget can be given another value; it is put into `state`."""
    match kind:
        case "slider":
            steps = round((widget.max - widget.min) / widget.step) if widget.step else 0
            if steps < 1 or len(widget.default) != 1:
                return False
            state.double_array_value.data.append(widget.min + widget.step * chance.randint(0, min(steps, 30)))
        case "number_input":
            value = widget.default + widget.step * chance.randint(1, 5)
            if widget.has_max and value > widget.max:
                return False
            state.double_value = value
        case "checkbox":
            state.bool_value = chance.random() < 0.5
        case "selectbox":
            if not widget.options:
                return False
            state.string_value = chance.choice(widget.options)
        case "button_group":
            names = [option.content for option in widget.options]
            if not names:
                return False
            state.string_array_value.data.append(chance.choice(names))
    return True
