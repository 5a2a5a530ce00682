"""Runs as a comparison reads them."""

from __future__ import annotations

from triadapt.runs.bundle import Readable
from triadapt.runs.info import DamagedRunError
from triadapt.runs.reader import RunReader
from triadapt.views.compare.record import KINDS, RunRecord, record_of


def read_record(run: Readable) -> RunRecord | None:
    """What a comparison needs of a run; None before it starts. Raises DamagedRunError."""
    try:
        if isinstance(run, RunReader):  # most of a run is losses, which it gives without an event for each
            return record_of(run.events_of(*KINDS), run.losses())
        return record_of(run.events())
    except DamagedRunError:
        raise
    except (ValueError, IndexError) as error:
        raise DamagedRunError(f"{run.info().id} is damaged ({' '.join(str(error).split())})") from error
