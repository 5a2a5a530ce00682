"""The command line. Each command lives in a module of its own; this one reads the arguments and turns errors into one
line and an exit code: 0 done, 1 a run failed or a file could not be written, 2 bad input, 130 stopped by Ctrl-C."""

from __future__ import annotations

import argparse
import os
import sqlite3
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import NoReturn

from triadapt import cli_branch, cli_class, cli_compare, cli_preview, cli_runs, cli_sweep, cli_train, cli_what_if
from triadapt.config import ConfigError
from triadapt.methods.registry import METHODS
from triadapt.runs.export import MODEL_FORMS, WHAT
from triadapt.runs.info import RunError
from triadapt.tasks.registry import TASKS
from triadapt.workers.sessions import OPEN_SESSIONS


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line; the usage is there for the asking."""
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = _Parser(prog="triadapt", description="Rank dynamics of adaptive LoRA, without a browser.")
    top.add_argument("--version", action="version", version=f"triadapt {version('triadapt')}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Parser)

    train = commands.add_parser("train", help="train one run, or several as a race")
    _configuration(train)
    _folder(train)
    train.add_argument("--resume", metavar="RUN", help="go on with a run or race that ended early")
    train.add_argument("--name", help="name of the race in the list of runs")
    train.add_argument("--sessions", default=OPEN_SESSIONS, help=argparse.SUPPRESS)
    _json(train, "print one JSON object at the end")
    train.set_defaults(command=cli_train.train)

    branch = commands.add_parser("branch", help="go on from a checkpoint of a run, as a new run with other settings")
    branch.add_argument("run", metavar="RUN", help="id of the run")
    branch.add_argument(
        "--at", metavar="STEP", help="its newest checkpoint at or before this step; default: the newest"
    )
    branch.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a field of schedule, budget or training"
    )
    branch.add_argument("--name", help="name of the new run in the list of runs")
    branch.add_argument("--sessions", default=OPEN_SESSIONS, help=argparse.SUPPRESS)
    _folder(branch)
    _json(branch, "print one JSON object at the end")
    branch.set_defaults(command=cli_branch.branch)

    sweep = commands.add_parser("sweep", help="try many settings, each with several seeds")
    sweep.add_argument("config", nargs="?", metavar="CONFIG.toml", help="what to try; docs/sweeps.md says how it reads")
    sweep.add_argument("--resume", metavar="STUDY", help="go on with a study, with more points or seeds by --set")
    sweep.add_argument("--on", metavar="WHERE", help="local (worker processes here) or ray (a cluster); default local")
    sweep.add_argument("--workers", metavar="N", help="trials at a time; default: as many as there are cores for")
    sweep.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="any field, such as seeds=5 or base.steps=300"
    )
    sweep.add_argument("--name", help="name of the study in lists")
    sweep.add_argument("--sessions", default=OPEN_SESSIONS, help=argparse.SUPPRESS)
    _folder(sweep)
    _json(sweep, "print one JSON object at the end")
    sweep.set_defaults(command=cli_sweep.sweep)

    studies = commands.add_parser("studies", help="list the studies, or show the points of one")
    studies.add_argument("study", nargs="?", metavar="STUDY", help="id of a study")
    _folder(studies)
    _json(studies, "print a JSON list, or one JSON object for a study")
    studies.set_defaults(command=cli_sweep.studies)

    preview = commands.add_parser("preview", help="the rank events of a schedule, without training")
    _configuration(preview)
    preview.add_argument(
        "--matrices", type=int, metavar="N", help="number of adapted matrices; default: as the task has"
    )
    preview.add_argument("--layers", type=int, metavar="N", help="layers of a model of your own, with --modules")
    preview.add_argument(
        "--modules", metavar="NAME IN x OUT,...", help="its target modules, such as 'query 768x768, value 768x768'"
    )
    preview.add_argument("--epochs", type=float, metavar="N", help="count the steps of a Trainer, with the next two")
    preview.add_argument("--rows", type=int, metavar="N", help="training rows")
    preview.add_argument("--batch-size", type=int, metavar="N", help="per_device_train_batch_size")
    preview.add_argument("--accumulation", type=int, metavar="N", help="gradient_accumulation_steps")
    preview.add_argument("--processes", type=int, metavar="N", help="processes that train")
    preview.add_argument("--drop-last", action="store_true", help="dataloader_drop_last")
    _json(preview, "print one JSON object")
    preview.set_defaults(command=cli_preview.preview)

    whatif = commands.add_parser(
        "whatif", help="replay the decisions of a run under another schedule, without training"
    )
    whatif.add_argument("run", metavar="RUN", help="id of a run, or RACE.METHOD of a recorded race")
    whatif.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a field of schedule or budget: interval=10"
    )
    _folder(whatif)
    _json(whatif, "print one JSON object")
    whatif.set_defaults(command=cli_what_if.whatif)

    teach = commands.add_parser("class", help="open the app for a class, on the network")
    cli_class.add_class_command(teach)
    _folder(teach)
    _json(teach, "print one JSON object with the links when it is open")

    runs = commands.add_parser("runs", help="list the runs")
    _folder(runs)
    _json(runs, "print a JSON list")
    runs.set_defaults(command=cli_runs.runs)

    show = commands.add_parser("show", help="show a run, or the runs of a race")
    show.add_argument("run", metavar="RUN", help="id of a run or race")
    show.add_argument("--events", action="store_true", help="list the events too")
    _folder(show)
    _json(show, "print a JSON list")
    show.set_defaults(command=cli_runs.show)

    compare = commands.add_parser("compare", help="runs side by side: where they differ, and each in numbers")
    compare.add_argument(
        "run",
        nargs="+",
        metavar="RUN",
        help="id of a run, or of a race for all of its runs, or name of a recorded race",
    )
    compare.add_argument(
        "--at", metavar="step=N|budget=N|time=SECONDS",
        help="compare after the same step, at the same total rank or after the same running time; default: at the end",
    )  # fmt: skip
    _folder(compare)
    _json(compare, "print one JSON object")
    compare.set_defaults(command=cli_compare.compare)

    export = commands.add_parser("export", help="write a run, or a race, to files")
    export.add_argument("run", metavar="RUN", help="id of a run or race")
    export.add_argument("folder", metavar="DIR", help="folder for the files, made if missing")
    export.add_argument(
        "--what", default="csv", metavar="FORM[,FORM...]", help=f"of {', '.join([*WHAT, *MODEL_FORMS])}; default csv"
    )
    export.add_argument("--overwrite", action="store_true", help="replace files that exist")
    _folder(export)
    _json(export, "print a JSON list of the files")
    export.set_defaults(command=cli_runs.export_runs)

    bring = commands.add_parser("import", help="add a bundle, a TensorBoard log of ranks or a PEFT adapter as runs")
    bring.add_argument(
        "path",
        metavar="PATH",
        help="a .jsonl.gz bundle, a folder or file of TensorBoard, a PEFT adapter folder, or a .zip or .tar.gz of one",
    )
    _folder(bring)
    _json(bring, "print a JSON list of run ids")
    bring.set_defaults(command=cli_runs.import_runs)
    return top


def _configuration(command: argparse.ArgumentParser) -> None:
    command.add_argument("config", nargs="?", metavar="CONFIG.toml", help="configuration; options below win over it")
    command.add_argument("--method", metavar="M[,M...]", help=f"of {', '.join(METHODS)}; several make a race")
    command.add_argument("--task", help=f"of {', '.join(TASKS)}")
    command.add_argument("--steps", metavar="N", help="optimizer steps")
    command.add_argument("--seed", metavar="S", help="seed of data order, initialisation and planted truth")
    command.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="any field, such as interval=10"
    )


def _folder(command: argparse.ArgumentParser) -> None:
    command.add_argument("--runs", metavar="DIR", help="where runs live; default $TRIADAPT_RUNS, else ./runs")


def _json(command: argparse.ArgumentParser, text: str) -> None:
    command.add_argument("--json", action="store_true", help=text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code."""
    try:
        options = parser().parse_args(arguments)
    except SystemExit as leaving:
        return int(leaving.code or 0)
    try:
        code = int(options.command(options))
        sys.stdout.flush()
        return code
    except ConfigError as error:
        return _complain(2, *error.lines)
    except RunError as error:
        return _complain(2, str(error))
    except FileExistsError as error:
        return _complain(2, f"{error.filename}: exists already; name another folder or add --overwrite")
    except BrokenPipeError:
        # Whoever read the output has enough, as `head` does. What is left must not be flushed into the pipe at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _complain(1, f"{error.filename or 'file'}: {error.strerror or error}")
    except sqlite3.Error as error:
        return _complain(1, f"a run file cannot be written or read: {error}")
    except KeyboardInterrupt:
        return _complain(130, "interrupted")


def _complain(code: int, *lines: str) -> int:
    for line in lines:
        print(f"triadapt: {' '.join(line.split())}", file=sys.stderr)
    return code
