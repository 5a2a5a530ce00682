"""Archives, unpacked only after every member was looked at: no way out of the folder, no links, no bombs."""

from __future__ import annotations

import gzip
import io
import lzma
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from triadapt.runs.info import RunError

MOST_MEMBERS = 1000
MOST_BYTES = 2**30
MOST_TIMES = 200
"""How many times larger than the archive its content may be, beyond `SMALL`: nothing that is imported packs better."""
SMALL = 32 * 2**20
LONGEST_NAME = 400
LARGEST_HEADER = 16 * 2**10
"""What stands before a file in a tar, such as a long name, is read whole before anybody sees it."""
_CHUNK = 2**20


def unpack_zip(path: Path, place: Path) -> None:
    """Unpack a zip file into the folder `place`. Raises RunError, with nothing written, for names that lead elsewhere,
    links, encryption, and more than `MOST_MEMBERS` or `MOST_BYTES`."""
    with _explained(path, "zip"), zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        for member in members:
            if (member.external_attr >> 16) & 0o170000 == 0o120000:
                raise RunError(f"{path}: {member.filename[:80]!r} is a link; only files are taken")
            if member.flag_bits & 1:
                raise RunError(f"{path}: {member.filename[:80]!r} is encrypted")
        names = _checked(path, [(member.filename, member.is_dir(), member.file_size) for member in members])
        left = _room(path)
        for member, name in zip(members, names, strict=True):
            if not member.is_dir():
                with archive.open(member) as source:
                    left -= _copy(path, source, place / name, left)


def unpack_tar(path: Path, place: Path) -> None:
    """The same for a `.tar.gz`."""
    with (
        _explained(path, "tar.gz"),
        gzip.open(path, "rb") as unzipped,
        _Bounded(path, unzipped) as bounded,
        tarfile.open(fileobj=bounded, mode="r:") as archive,
    ):
        members: list[tarfile.TarInfo] = []
        room = _room(path)
        # A header at a time: a bomb is told by what it declares before it is unpacked.
        for member in archive:
            if member.issparse() or not (member.isfile() or member.isdir()):
                raise RunError(f"{path}: {member.name[:80]!r} is a link or a device; only files are taken")
            members.append(member)
            room -= member.size
            if room < 0 or len(members) > MOST_MEMBERS:
                break
        names = _checked(path, [(member.name, member.isdir(), member.size) for member in members])
        bounded.listed()
        left = _room(path)
        for member, name in zip(members, names, strict=True):
            source = archive.extractfile(member) if member.isfile() else None
            if source is not None:
                with source:
                    left -= _copy(path, source, place / name, left)


class _Bounded(io.RawIOBase):
    """What is in a tar.gz: no header larger than `LARGEST_HEADER`, nor all of them than as many as files may be, and
    nothing beyond the room. listed: from then on contents are read."""

    def __init__(self, path: Path, inner: gzip.GzipFile) -> None:
        self._path, self._inner = path, inner
        self._largest, self._left = LARGEST_HEADER, MOST_MEMBERS * LARGEST_HEADER
        self._end = _room(path) + self._left

    def listed(self) -> None:
        self._largest, self._left = 2 * _CHUNK, self._end

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._inner.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET or offset > self._end:
            raise RunError(f"{self._path}: larger unpacked than {_room(self._path) // 2**20} MB")
        return self._inner.seek(offset)

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= self._largest:
            most = f"at most {self._largest // 2**10} kB are taken"
            raise RunError(f"{self._path}: a header of {size / 2**20:.1f} MB in it, {most}; pack the files again")
        got = self._inner.read(size)
        self._left -= len(got)
        if self._left < 0:
            raise RunError(f"{self._path}: more headers than {MOST_MEMBERS} files have; pack the files again")
        return got


def _room(path: Path) -> int:
    return min(MOST_BYTES, max(SMALL, MOST_TIMES * path.stat().st_size))


def _checked(path: Path, members: Iterable[tuple[str, bool, int]]) -> list[PurePosixPath]:
    """Names as relative paths. members: name, whether it is a folder, bytes. Raises RunError."""
    names: list[PurePosixPath] = []
    size = 0
    for name, _, declared in members:
        parts = PurePosixPath(name).parts
        strange = "\\" in name or ":" in name or not name.isprintable() or len(name) > LONGEST_NAME
        if not parts or strange or name.startswith("/") or ".." in parts or len(parts) > 20:
            raise RunError(f"{path}: {name[:80]!r} is a name that leads out of a folder, or none")
        names.append(PurePosixPath(*parts))
        size += declared
    if len(names) > MOST_MEMBERS:
        raise RunError(f"{path}: more than {MOST_MEMBERS} files")
    if size > _room(path):
        raise RunError(f"{path}: {size / 2**20:.0f} MB unpacked; at most {_room(path) // 2**20} MB are taken")
    files = [str(name) for name, (_, folder, _) in zip(names, members, strict=True) if not folder]
    if len(set(files)) < len(files):
        raise RunError(f"{path}: a file is in it twice")
    return names


def _copy(path: Path, source: IO[bytes], target: Path, left: int) -> int:
    """Returns the bytes written. Raises RunError when there are more than `left`, whatever the archive declared."""
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with open(target, "xb") as file:
        while chunk := source.read(_CHUNK):
            written += len(chunk)
            if written > left:
                raise RunError(f"{path}: larger unpacked than it says, or than {MOST_BYTES // 2**20} MB")
            file.write(chunk)
    return written


@contextmanager
def _explained(path: Path, kind: str) -> Iterator[None]:
    try:
        yield
    except (RunError, FileNotFoundError, PermissionError):
        raise
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise RunError(f"{path}: not a whole {kind} file ({error})") from None
    except (OSError, ValueError, NotImplementedError, RuntimeError, OverflowError, shutil.Error) as error:
        raise RunError(f"{path}: cannot be unpacked ({error})") from None
