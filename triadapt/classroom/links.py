"""The links of a class, and their pictures."""

from __future__ import annotations

import io
from urllib.parse import urlencode, urlsplit, urlunsplit

import segno

QUIET = 4
"""Empty modules around a QR code, as many as its standard asks for."""


def student_link(base: str, code: str | None) -> str:
    """What students open. base: address of the app's first page. code: None on a server that is all one class."""
    return _with(base, {"class": code} if code else {})


def teacher_link(base: str, key: str) -> str:
    """What the teacher opens, and shows to nobody."""
    return _with(base, {"teacher": key})


def _with(base: str, query: dict[str, str]) -> str:
    parts = urlsplit(base)
    return urlunsplit((parts.scheme, parts.netloc, f"{parts.path.rstrip('/')}/", urlencode(query), ""))


def other_host(base: str, host: str) -> str:
    """The same address by another name of the machine."""
    parts = urlsplit(base)
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit((parts.scheme, f"{host}{port}", parts.path, "", ""))


def qr_svg(link: str, *, inline: bool = True) -> str:
    """A QR code, dark on white in any theme, for cameras want it so. inline: as a part of a page, not a file."""
    picture = io.BytesIO()
    segno.make(link, micro=False).save(
        picture, kind="svg", border=QUIET, dark="#000", light="#fff", xmldecl=not inline, svgns=not inline,
        scale=1 if inline else 8, omitsize=inline, title="QR code of the link" if inline else None,
    )  # fmt: skip
    return picture.getvalue().decode()


def qr_png(link: str) -> bytes:
    """The same as a picture for slides."""
    picture = io.BytesIO()
    segno.make(link, micro=False).save(picture, kind="png", border=QUIET, scale=16)
    return picture.getvalue()


def qr_terminal(link: str) -> str:
    """The same in half blocks, for a terminal."""
    text = io.StringIO()
    segno.make(link, micro=False).terminal(text, border=2, compact=True)
    return text.getvalue()
