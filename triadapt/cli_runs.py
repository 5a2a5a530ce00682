"""`triadapt runs`, `show`, `export` and `import`."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

from rich.table import Table

from triadapt.cli_train import print_table
from triadapt.events import MEASURED, SAVED, Baseline, Evaluation, RankEvent, Stamped, Started, Step, Warned
from triadapt.runs.export import MODEL_FORMS, check_forms, event_values, export, plain
from triadapt.runs.info import RunError, RunInfo
from triadapt.runs.library import find, list_runs, runs_folder
from triadapt.runs.reader import RunReader
from triadapt.views.health import findings


def runs(options: Namespace) -> int:
    """List the runs, newest first."""
    infos = list_runs(runs_folder(options.runs))
    if options.json:
        _print_json([info.as_dict() for info in infos])
        return 0
    if not infos:
        print(f"no runs in {runs_folder(options.runs)}; start one with `triadapt train`")
        return 0
    columns = ["run", "name", "state", "step", "total rank", "metric"]
    parents = any(info.parent for info in infos)
    table = Table(*columns, *(["from"] if parents else []), box=None, header_style="bold")
    for info in infos:
        cells = [info.id, info.name, info.state, _steps(info), info.told_rank(), _metric(info) or info.error]
        table.add_row(*cells, *([info.parent] if parents else []))
    print_table(table)
    return 0


def _steps(info: RunInfo) -> str:
    return f"{info.last_step + 1}/{info.steps}" if info.steps and not info.without_steps else ""


def _metric(info: RunInfo) -> str:
    return "" if info.metric_value is None else f"{info.metric} {info.metric_value:.4g}"


def show(options: Namespace) -> int:
    """What is known of a run, with `--events` its events."""
    folder = runs_folder(options.runs)
    found: list[dict[str, Any]] = []
    for info in find(folder, options.run):
        events = RunReader(folder / info.id).events() if info.state != "damaged" else []
        against = findings(stamped.event for stamped in events)
        if options.json:
            more = {"events": [event_values(s) for s in events]} if options.events else {}
            found.append(info.as_dict() | {"health": [asdict(finding) for finding in against]} | more)
            continue
        _print_info(info)
        for finding in against:
            print(f"  warning, step {finding.step}: {finding.message} {finding.advice}")
        for stamped in events if options.events else []:
            line = _told(stamped)
            if line:
                print(f"  {stamped.event.step:>7}  {stamped.time:>9.2f} s  {line}")
    if options.json:
        _print_json(found)
    return 0


def _print_info(info: RunInfo) -> None:
    print(info.id)
    lines = {
        "name": info.name, "note": info.note, "state": info.state, "error": info.error, "method": info.method,
        "task": info.task, "steps": _steps(info), "total rank": info.told_rank(), "metric": _metric(info),
        "seconds": f"{info.seconds:.1f}", "from": info.origin,
    }  # fmt: skip
    for name, value in lines.items():
        if value:
            print(f"  {name + ':':<12}{value}")


def _told(stamped: Stamped) -> str:
    """One line for an event; nothing for those that only machines read one by one."""
    match stamped.event:
        case Step() as event:
            return f"loss {event.loss:.5g}"
        case Started() as event:
            return f"started: {event.method} on {event.task}, {len(event.matrices)} matrices, {event.device}"
        case RankEvent() as event if event.rule == SAVED:
            held = int((event.ranks > 0).sum())
            return f"ranks: total {event.total_rank}, on {held} of {len(event.ranks)} matrices"
        case RankEvent() as event if event.rule == MEASURED:
            return f"measured: effective ranks, total {event.total_rank}"
        case RankEvent() as event:
            allowed = (
                f"{len(event.chosen)} of {event.allowed} allowed" if event.allowed else f"{len(event.chosen)} changed"
            )
            return f"rank event: {allowed}, total rank {event.total_rank}"
        case Evaluation() as event:
            return "evaluation: " + ", ".join(f"{name} {value:.5g}" for name, value in event.metrics.items())
        case Baseline() as event:
            return f"baseline: {event.name} {event.value:.5g}"
        case Warned() as event:
            return f"warning: {event.message}" + (f"; {event.advice}" if event.advice else "")
        case other:
            words = [str(getattr(other, name)) for name in ("reason", "error", "file") if hasattr(other, name)]
            return f"{other.kind}: {words[0]}" if words else other.kind


def export_runs(options: Namespace) -> int:
    """Write files of a run or race."""
    folder = runs_folder(options.runs)
    infos = find(folder, options.run)
    target = Path(options.folder)
    if target.exists() and not target.is_dir():
        raise RunError(f"{options.folder!r} is a file; name a folder")
    readers = [RunReader(folder / info.id) for info in infos]
    what = list(dict.fromkeys(form.strip() for form in options.what.split(",")))
    check_forms(what)
    weights = [form for form in MODEL_FORMS if form in what]
    tables = [form for form in what if form not in weights]
    # Weights first: it is them that may not be there.
    files = _export_weights(infos, target, weights, overwrite=options.overwrite) if weights else []
    if tables:
        files = export(readers, target, tables, overwrite=options.overwrite) + files
    if options.json:
        _print_json([str(file) for file in files])
    else:
        for file in files:
            print(file)
    return 0


def _export_weights(infos: Sequence[RunInfo], target: Path, forms: list[str], *, overwrite: bool) -> list[Path]:
    """One run's weights go to the folder itself, those of a race to a folder for each method."""
    # Only here, as it imports torch.
    export_model = import_module("triadapt.training.export_model").export_model
    places = {info.id: target if len(infos) == 1 else target / info.method for info in infos}
    return [file for info in infos for file in export_model(info, places[info.id], forms, overwrite=overwrite)]


def import_runs(options: Namespace) -> int:
    """Add the runs of a bundle, a log or an adapter as a new race."""
    # Only here, as it takes TensorBoard's formats.
    import_path = import_module("triadapt.imports.any_path").import_path
    run_ids = import_path(runs_folder(options.runs), Path(options.path))
    if options.json:
        _print_json(run_ids)
    else:
        for run_id in run_ids:
            print(run_id)
    return 0


def _print_json(values: Any) -> None:
    print(json.dumps(plain(values), allow_nan=False))
