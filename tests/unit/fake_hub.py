"""A hub on this machine: models and datasets of a folder over HTTP, as far as huggingface_hub and datasets ask."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

COMMIT, OF_CONVERTED = "0123456789abcdef0123456789abcdef01234567", "fedcba9876543210fedcba9876543210fedcba98"
CONVERTED = "@converted"


def _handler(root: Path, gated: set[str], asked: list[str]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def do_POST(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            paths = json.loads(self.rfile.read(size) or b"{}").get("paths", [])
            self.answer(body=True, paths=paths)

        def answer(self, body: bool, paths: list[str] | None = None) -> None:
            path = unquote(urlparse(self.path).path)
            asked.append(path)
            if api := re.match(r"/api/(models|datasets)/([^/]+/[^/]+)(?:/(.*))?$", path):
                kind, repo, rest = api.groups()
                self.about(body, kind, _at(repo, rest or ""), rest, paths)
            elif file := re.match(r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+(?:/pr/\d+)?)/(.*)$", path):
                self.file(body, "datasets" if file[1] else "models", _at(file[2], file[3]), file[4])
            else:
                self.send(body, 404, b"{}", {"X-Error-Code": "RepoNotFound"})

        def folder(self, body: bool, kind: str, repo: str) -> Path | None:
            if repo in gated:
                self.send(body, 403, b"{}", {"X-Error-Code": "GatedRepo"})
                return None
            folder = root / kind / repo
            if not folder.is_dir():
                self.send(body, 401, b"{}", {"X-Error-Code": "RepoNotFound"})
                return None
            return folder

        def about(self, body: bool, kind: str, repo: str, rest: str | None, paths: list[str] | None) -> None:
            folder = self.folder(body, kind, repo)
            if folder is None:
                return
            files = sorted(file for file in folder.rglob("*") if file.is_file())
            listed = [
                {"type": "file", "path": str(file.relative_to(folder)), "size": file.stat().st_size, "oid": _tag(file)}
                for file in files
            ]
            if rest and "nowhere" in rest:
                self.send(body, 404, b"{}", {"X-Error-Code": "RevisionNotFound"})
            elif rest and (rest.startswith("tree/") or rest.startswith("paths-info/")):
                wanted = [one for one in listed if paths is None or one["path"] in paths]
                inside = rest.split("/", 2)[2] if rest.count("/") > 1 and "refs/pr" not in rest else ""
                under = [one for one in wanted if str(one["path"]).startswith(inside)]
                self.send(body, 200, json.dumps(under).encode())
            elif rest and rest.startswith("discussions"):
                self.send(body, 200, json.dumps(_offers(folder)).encode())
            else:
                facts = {
                    "id": repo, "sha": _commit(folder), "private": False, "gated": False, "disabled": False,
                    "downloads": 0, "likes": 0, "tags": [], "siblings": [{"rfilename": one["path"]} for one in listed],
                }  # fmt: skip
                self.send(body, 200, json.dumps(facts).encode())

        def file(self, body: bool, kind: str, repo: str, name: str) -> None:
            folder = self.folder(body, kind, repo)
            if folder is None:
                return
            file = folder / name
            if not file.is_file():
                self.send(body, 404, b"{}", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": _commit(folder)})
                return
            data, status, headers = file.read_bytes(), 200, {"ETag": f'"{_tag(file)}"'}
            headers["X-Repo-Commit"] = _commit(folder)
            if span := re.match(r"bytes=(\d+)-(\d*)$", self.headers.get("Range") or ""):
                first, last = int(span[1]), int(span[2] or len(data) - 1)
                headers["Content-Range"] = f"bytes {first}-{min(last, len(data) - 1)}/{len(data)}"
                data, status = data[first : last + 1], 206
            self.send(body, status, data, headers)

        def send(self, body: bool, status: int, data: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if body:
                self.wfile.write(data)

    return Handler


def _at(repo: str, revision: str) -> str:
    """The folder of a pull request lies beside that of the model."""
    return repo + CONVERTED if "refs/pr/1" in revision or OF_CONVERTED in revision else repo


def _commit(folder: Path) -> str:
    return OF_CONVERTED if folder.name.endswith(CONVERTED) else COMMIT


def _offers(folder: Path) -> dict[str, Any]:
    offered = folder.with_name(folder.name + CONVERTED).is_dir()
    one = {
        "num": 1, "title": "Adding `safetensors` variant of this model", "author": {"name": "SFconvertbot"},
        "isPullRequest": True, "status": "open", "createdAt": "2023-01-01T00:00:00.000Z",
        "repo": {"name": f"{folder.parent.name}/{folder.name}", "type": "model"},
    }  # fmt: skip
    return {"discussions": [one] if offered else [], "count": int(offered), "start": 0}


def _tag(file: Path) -> str:
    return hashlib.sha1(file.read_bytes()).hexdigest()


@contextmanager
def fake_hub(root: Path, gated: set[str]) -> Iterator[tuple[str, list[str]]]:
    """Serves `root/models/OWNER/NAME` and `root/datasets/OWNER/NAME`. Gives its address and the paths asked for."""
    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(root, gated, asked))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
