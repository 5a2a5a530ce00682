"""Runs a training script as `python SCRIPT` does, and holds it where it is told to.

python tests/browser/held_script.py SCRIPT

A line on stdin says how many optimizer steps the script may take; there it waits for the next line. A line `end` lets
it go to its end.
"""

import runpy
import sys
from typing import Any

from torch.optim.optimizer import register_optimizer_step_post_hook


class Hold:
    """Counts the steps of any optimizer, after all other hooks on it."""

    def __init__(self) -> None:
        self.done, self.allowed = 0, 1

    def __call__(self, *_: Any) -> None:
        self.done += 1
        while self.done >= self.allowed:
            word = sys.stdin.readline()
            if not word:
                raise SystemExit("nobody watches any more")
            self.allowed = sys.maxsize if word == "end\n" else int(word)


if __name__ == "__main__":
    register_optimizer_step_post_hook(Hold())
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
