"""Sketch of what a schedule will do to the total rank, before anything is trained.

Plain SVG text rather than a Plotly figure: it is redrawn at every move of a slider and must neither flash nor make the
page load a second copy of Plotly.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import Any

WIDTH, HEIGHT = 300, 150
LEFT, RIGHT, TOP, BOTTOM = 26, 6, 12, 18
LABEL_HEIGHT = 10
DASHES = {"solid": "", "dash": "7 4", "dot": "2 3", "dashdot": "7 3 2 3", "longdash": "12 5",
          "longdashdot": "12 3 2 3"}  # fmt: skip


def _apart(totals: Sequence[int], y: Callable[[float], float]) -> list[int]:
    """Those of the totals whose labels do not lie over those before them."""
    kept: list[int] = []
    for total in totals:
        if all(abs(y(total) - y(other)) >= LABEL_HEIGHT for other in kept):
            kept.append(total)
    return kept


def schedule_svg(plans: Sequence[dict[str, Any]]) -> str:
    """Planned total rank of each method as stairs, with the warm-up shaded and the target dotted.

    plans: `label`, `colour`, `dash`, `steps` and `totals` (total rank from each step on; the first, at step 0, is the
    start), `target`, `total_step`, `warmup`; one may have `since`, a step to mark, and then its target counts. Text
    takes the colour of the page around it.
    """
    if not plans:
        return ""
    end = max(int(plan["total_step"]) for plan in plans)
    top = max(float(max([plan["target"], *plan["totals"]])) for plan in plans) * 1.08

    def x(step: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * min(step, end) / end, 1)

    def y(total: float) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * total / top, 1)

    lead = next((plan for plan in plans if "since" in plan), plans[0])
    target, since, warmup = lead["target"], lead.get("since"), max(plan["warmup"] for plan in plans)
    floor = HEIGHT - BOTTOM
    parts = [
        f'<rect x="{LEFT}" y="{TOP}" width="{x(warmup) - LEFT:.1f}" height="{floor - TOP}" fill="currentColor" '
        f'opacity="0.1"><title>warm-up: no rank event up to step {warmup}</title></rect>',
        f'<path d="M{LEFT} {y(target)}H{WIDTH - RIGHT}" stroke="currentColor" opacity="0.5" stroke-dasharray="1 3"/>',
        f'<path d="M{LEFT} {floor}H{WIDTH - RIGHT}" stroke="currentColor" opacity="0.4"/>',
    ]
    for plan in plans:
        path = f"M{x(plan['steps'][0])} {y(plan['totals'][0])}"
        for step, total in zip(plan["steps"][1:], plan["totals"][1:], strict=True):
            path += f"H{x(step)}V{y(total)}"
        label = html.escape(plan["label"])
        parts.append(
            f'<path d="{path}H{x(end)}" fill="none" stroke="{plan["colour"]}" stroke-width="2" '
            f'stroke-dasharray="{DASHES.get(plan["dash"], "")}"><title>{label}: total rank {plan["totals"][0]} to '
            f"{plan['totals'][-1]}</title></path>"
        )
    style = 'fill="currentColor" font-size="10" opacity="0.75"'
    for total in _apart([target, lead["totals"][0], *(plan["totals"][0] for plan in plans)], y):
        parts.append(f'<text x="{LEFT - 4}" y="{y(total) + 3:.1f}" text-anchor="end" {style}>{total}</text>')
    if since is not None:
        parts.append(
            f'<path d="M{x(since)} {TOP}V{floor}" stroke="currentColor" opacity="0.6" stroke-dasharray="4 3"/>'
        )
    named = warmup if since is None else since
    if named < 0.75 * end:  # else it would run into the label of the last step
        parts.append(f'<text x="{x(named)}" y="{HEIGHT - 5}" text-anchor="middle" {style}>{named}</text>')
    parts.append(f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 5}" text-anchor="end" {style}>step {end}</text>')
    summary = "; ".join(f"{plan['label']} {plan['totals'][0]} to {plan['totals'][-1]}" for plan in plans)
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="100%" role="img" xmlns="http://www.w3.org/2000/svg" '
        f'aria-label="Planned total rank, target {target}: {html.escape(summary)}">{"".join(parts)}</svg>'
    )
