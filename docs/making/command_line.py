"""The command line as a page, from its own parsers."""

from __future__ import annotations

import argparse

from markdown_tables import cell, table

from triadapt.cli import parser


def command_line() -> str:
    """A section for each command: what it does, how it is called, its arguments."""
    top = parser()
    commands = next(action for action in top._actions if isinstance(action, argparse._SubParsersAction))
    helps = {action.dest: action.help or "" for action in commands._choices_actions}
    return "\n\n".join(_section(name, helps[name], command) for name, command in commands.choices.items())


def _section(name: str, help_text: str, command: argparse.ArgumentParser) -> str:
    shown = [action for action in command._actions if action.help != argparse.SUPPRESS and action.dest != "help"]
    positional = [action for action in shown if not action.option_strings]
    call = " ".join(["triadapt", name, *map(_as_given, positional), "[OPTIONS]"])
    rows = [(f"`{_written(action)}`", cell(_explained(action))) for action in shown]
    return "\n".join(
        [
            f"## {name}",
            "",
            f"{help_text[:1].upper()}{help_text[1:]}.",
            "",
            f"    {call}",
            "",
            table(["argument", "meaning"], rows),
        ]
    )


def _as_given(action: argparse.Action) -> str:
    name = str(action.metavar or action.dest)
    return {"?": f"[{name}]", "+": f"{name} [{name} ...]"}.get(str(action.nargs), name)


def _written(action: argparse.Action) -> str:
    if not action.option_strings:
        return _as_given(action)
    flags = ", ".join(action.option_strings)
    return flags if action.nargs == 0 else f"{flags} {action.metavar or action.dest.upper()}"


def _explained(action: argparse.Action) -> str:
    text = (action.help or "") % {"default": action.default, "prog": "triadapt"}
    return f"{text}; may be given several times" if isinstance(action, argparse._AppendAction) else text
