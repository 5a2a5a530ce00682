"""How students come to a class: the link, its QR code, and what is in the way."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

import streamlit as st

from triadapt.classroom.links import other_host, qr_png, qr_svg, student_link
from triadapt.classroom.network import is_local, network_addresses
from triadapt.ui.classroom.copy_button import copy_button
from triadapt.ui.markdown import plain
from triadapt.ui.svg_component import svg

QR_WIDTH = 220  # in pixels


def link_section(code: str, *, served: bool) -> None:
    """Draw it. served: whether the server was started for this class."""
    base = _first_page(st.context.url or "http://localhost:8501")
    if is_local(base):
        base = _said_to_be_local(base, served)
    link = student_link(base, None if served else code)
    with st.container(horizontal=True, gap="medium", key="class_link"):
        with st.container(width=QR_WIDTH):
            svg(qr_svg(link), key="class_qr")
        with st.container(width="stretch"):
            st.markdown("**Link for students**")
            st.code(link, language=None, wrap_lines=True)
            with st.container(horizontal=True):
                copy_button(link, label="Copy the link", key="class_copy")
                st.download_button(
                    "QR as SVG", qr_svg(link, inline=False), file_name=f"class-{code}.svg", mime="image/svg+xml",
                    help="A drawing of any size, for slides.", icon=":material/download:", key="class_svg",
                    on_click="ignore",
                )  # fmt: skip
                st.download_button(
                    "QR as PNG", qr_png(link), file_name=f"class-{code}.png", mime="image/png",
                    help="A picture for slides that take no SVG.", icon=":material/download:", key="class_png",
                    on_click="ignore",
                )  # fmt: skip


def _first_page(url: str) -> str:
    """The address of the app in that of any of its pages."""
    parts = urlsplit(url)
    base = str(st.get_option("server.baseUrlPath") or "").strip("/")
    return urlunsplit((parts.scheme, parts.netloc, f"/{base}/" if base else "/", "", ""))


def _said_to_be_local(base: str, served: bool) -> str:
    """Say that the address leads nowhere from other machines. Returns one that does, where there is one."""
    found = network_addresses()
    if not found:
        st.warning("This machine has no network, so no other can reach it.", icon=":material/wifi_off:")
        return base
    if not served:
        st.warning(
            f"Other machines cannot reach {plain(base)}: start the app with `triadapt class` (or `make class`), then "
            f"it is at {plain(other_host(base, found[0]))}.", icon=":material/wifi_off:",
        )  # fmt: skip
        return base
    bound = str(st.get_option("server.address") or "")
    if bound in ("127.0.0.1", "localhost", "::1"):
        st.warning(
            f"The server listens on this machine only ({plain(bound)}): start the class without that address.",
            icon=":material/wifi_off:",
        )  # fmt: skip
        return base
    host = found[0]
    if len(found) > 1:
        about = "The one by which the students' network reaches this machine."
        host = str(st.selectbox("Address of this machine", found, key="class_host", help=about))
    st.caption(f":material/wifi: Other machines cannot reach {plain(base)}; the link has this machine's address.")
    return other_host(base, host)
