"""Scripts are published once, however many visitors come first."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from triadapt.ui.static_files import PARTS, publish


def test_visitors_who_come_at_once_all_find_the_scripts(tmp_path: Path) -> None:
    publish.cache_clear()
    with ThreadPoolExecutor(16) as threads:
        found = list(threads.map(lambda part: (part, publish(part, tmp_path)), [*PARTS] * 8))
    assert {part for part, _ in found} == set(PARTS) and len(set(found)) == len(PARTS)
    for part, folder in set(found):
        assert folder.startswith(f"{part}-") and any((tmp_path / folder).rglob("*.js"))
    assert (tmp_path / "plotly.min.js").stat().st_size > 1_000_000
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
