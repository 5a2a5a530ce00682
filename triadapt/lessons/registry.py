"""The list of lessons. Free of Streamlit and torch; what a lesson says and draws is a module in `ui/learn/lessons/`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Lesson:
    """One lesson. slug: its name in the address. part: `lesson`, `capstone`, `wrong` (find what is wrong) or
    `words`. minutes: how long a reader takes. module: the file in `ui/learn/lessons/` that draws it, where it is not
    named like the lesson."""

    slug: str
    title: str
    part: str = "lesson"
    minutes: int = 3
    module: str = ""

    @property
    def script(self) -> str:
        """Name of the module that draws it, without its ending."""
        return self.module or self.slug.replace("-", "_")


PARTS = {"lesson": "", "capstone": "", "wrong": "Find what is wrong", "words": "Look up"}
"""Parts of the page in their order, with the heading of each."""

LESSONS = {
    lesson.slug: lesson
    for lesson in (
        Lesson("low-rank", "What low rank means"),
        Lesson("lora", "LoRA, and where it sits"),
        Lesson("one-rank", "Why one rank for all is waste"),
        Lesson("triangular", "The triangular split"),
        Lesson("importance", "Importance, by hand"),
        Lesson("threshold", "Thresholds: who gets in"),
        Lesson("prune-or-grow", "Prune or grow"),
        Lesson("capstone", "Beat the default schedule", "capstone", 10),
        Lesson("wrong-warmup", "Nothing happens for a long time", "wrong", 2, "wrong"),
        Lesson("wrong-interval", "The ranks stand still", "wrong", 2, "wrong"),
        Lesson("wrong-start", "The loss does not move", "wrong", 2, "wrong"),
        Lesson("wrong-ties", "More than was allowed", "wrong", 2, "wrong"),
        Lesson("wrong-scale", "The loss jumps when rank grows", "wrong", 2, "wrong"),
        Lesson("glossary", "Glossary", "words", 2),
    )
}
FIRST = next(iter(LESSONS))


def mark(lesson: Lesson) -> str:
    """What stands before its title: a number within its part, or a star."""
    if lesson.part == "capstone":
        return "★"
    if lesson.part == "words":
        return "…"
    of_part = [one.slug for one in LESSONS.values() if one.part == lesson.part]
    return f"{'' if lesson.part == 'lesson' else '?'}{of_part.index(lesson.slug) + 1}"
