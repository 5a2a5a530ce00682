"""Presets that fail: a run with something wrong, and what may be to blame. Who picks a suspect sees it repaired."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Suspect:
    """What may be to blame. changes: fields by dotted name under which it is repaired. verdict: what is said of the
    choice once it is taken."""

    name: str
    label: str
    changes: dict[str, Any]
    verdict: str


@dataclass(frozen=True)
class Preset:
    """symptom: what a reader sees. values: fields by dotted name, over the lesson's own. blame: the suspect that is.
    explanation: the arithmetic behind it, told at the end."""

    symptom: str
    values: dict[str, Any]
    suspects: tuple[Suspect, ...]
    blame: str
    explanation: str
    shows: tuple[str, ...] = field(
        default=("steps", "warmup", "interval", "growth", "reference_rank", "add_r", "learning_rate")
    )


_RATE = Suspect(
    "rate", "learning_rate is too low", {"learning_rate": 0.01}, "Twice the rate, and the same picture: not the cause."
)
_BUDGET = Suspect(
    "budget", "reference_rank is too small", {"reference_rank": 4},
    "The budget is twice as high now, and the trouble stays.",
)  # fmt: skip

PRESETS = {
    "wrong-warmup": Preset(
        "For most of the run no rank moves. Then, close to the end, a few do, and the budget of 24 is never reached.",
        {"warmup": 270},
        (
            _RATE,
            Suspect("interval", "interval is too long", {"interval": 5}, "Five events in place of two, and all "
                    "of them still wait for the warm-up to end."),
            Suspect("warmup", "warmup is too long", {"warmup": 30}, "Repaired, growth begins at step 40, not at 280."),
            _BUDGET,
        ),
        "warmup",
        "An event needs t > warmup and t a multiple of interval. With warmup = 270 and interval = 10 that is true of "
        "t = 280 and t = 290 only: two events, each of which may admit a handful of matrices, in the last 20 steps of "
        "a run whose learning rate is almost 0 by then. A tenth of the steps is a good warm-up to begin with.",
    ),
    "wrong-interval": Preset(
        "The map never changes. Every matrix keeps the rank it began with, from the first step to the last.",
        {"interval": 400},
        (
            Suspect("warmup", "warmup is too long", {"warmup": 5}, "The warm-up ended at step 30 already. Ending it "
                    "earlier brings no event."),
            Suspect("growth", "the growth mode admits nobody", {"growth": "non-linear"}, "A mode decides how many "
                    "enter at an event. There is no event."),
            Suspect("interval", "interval is too long", {"interval": 10}, "Repaired, there are events at 40, 50, 60."),
            _BUDGET,
        ),
        "interval",
        "Events fall on multiples of interval. The first multiple of 400 beyond the warm-up is step 400, and the run "
        "ends at 300: no event, ever. Nothing fails and nothing warns in most code; it looks like a method that found "
        "nothing to do. This is the question asked most about AdaLoRA, whose deltaT does the same.",
    ),
    "wrong-start": Preset(
        "The total rank grows on schedule. The loss stays where it was. And look who grows: one matrix takes it all.",
        {"triadaptlora.init": "zero"},
        (
            _RATE,
            Suspect("init", "the adapter starts where no gradient reaches it", {"triadaptlora.init": "identity"},
                    "Repaired, the schedule is the same and the loss falls."),
            Suspect("warmup", "warmup is too short", {"warmup": 100}, "Later events, the same silence."),
            Suspect("interval", "interval is too short", {"interval": 30}, "Fewer events, the same silence."),
        ),
        "init",
        "With B = 0 and L + U = 0 the update B (L + U) A is 0, which is wanted at the start. But each gradient holds "
        "another factor that is 0 too: that of B holds L + U, that of L and U holds B, that of A holds both. So every "
        "gradient is exactly 0 and stays so. Every importance is 0, all matrices tie, and ties go to the one that "
        "comes first, which takes every rank that is given. With L = I instead, B has a gradient from the first step.",
        ("steps", "warmup", "interval", "reference_rank", "triadaptlora.init", "learning_rate"),
    ),
    "wrong-ties": Preset(
        "The budget is 24. At the first event, in the second step of training, the total goes from 12 to 36 and stays "
        "there.",
        {"warmup": 0, "interval": 1, "add_r": 2, "growth": "fixed", "top_h": 1, "triadaptlora.behaviour": "reference"},
        (
            Suspect("top_h", "top_h admits too many", {"top_h": 3}, "It admitted one matrix an event. Twelve came."),
            Suspect("budget", "reference_rank is too large", {"reference_rank": 1}, "The budget is 12 now, which the "
                    "start has already. It hides the symptom, and the budget with it: nothing can grow any more."),
            Suspect("ties", "everybody scored the same, and the rule lets ties in",
                    {"triadaptlora.behaviour": "improved", "warmup": 30, "interval": 10},
                    "Repaired, the budget is met and not passed."),
            _RATE,
        ),
        "ties",
        "After one step only B has moved, so no norm of L + U has changed and every importance is exactly 0. The "
        "threshold is the largest score, 0, and as published every matrix at or above it grows: all 12, by add_r = 2 "
        "each. Two mends: wait until scores mean something (a warm-up, a longer interval), and count the budget in "
        "ranks, break ties in a fixed order and admit no more than is allowed, as the improved behaviour does.",
        ("warmup", "interval", "growth", "top_h", "add_r", "reference_rank", "triadaptlora.behaviour", "learning_rate"),
    ),
    "wrong-scale": Preset(
        "Halfway, every matrix grows, and the loss jumps up by a quarter. The run has to learn again what it knew.",
        {"warmup": 140, "interval": 150, "growth": "fixed", "top_h": 12, "add_r": 4, "reference_rank": 5,
         "learning_rate": 0.003, "triadaptlora.scale": "rank"},
        (
            Suspect("new", "the new ranks disturb the old ones", {"triadaptlora.init": "gaussian"}, "New ranks that do "
                    "disturb make it worse, not better. Here they began at B = 0 and changed nothing."),
            Suspect("late", "the event comes too late", {"warmup": 40, "interval": 50}, "An earlier event wipes out "
                    "less, for less was learned by then. The jump is still there."),
            Suspect("scale", "the update is divided by the current rank", {"triadaptlora.scale": "constant"},
                    "Repaired: with alpha / reference_rank, which does not change, the event leaves no trace."),
            Suspect("rate", "learning_rate is too high", {"learning_rate": 0.001}, "Slower learning, the same jump."),
        ),
        "scale",
        "The update is alpha / r times B (L + U) A. When r goes from 1 to 5, everything learned so far is multiplied "
        "by 1/5 at that moment: four fifths of it are gone. A scale that does not depend on the current rank keeps it.",
        ("warmup", "interval", "add_r", "reference_rank", "alpha", "triadaptlora.init", "triadaptlora.scale",
         "learning_rate"),
    ),
}  # fmt: skip
