"""What adaptive methods share: schedules, thresholds, importance, and optimizer state on growth.

The functions listed here are pure Python and NumPy, so that anyone can check a decision by hand.
"""

from triadapt.growth.schedule import adalora_budget, event_steps, is_event, matrices_to_grow
from triadapt.growth.threshold import growth_threshold, matrices_at_or_above, normalized_frobenius

__all__ = [
    "adalora_budget",
    "event_steps",
    "growth_threshold",
    "is_event",
    "matrices_at_or_above",
    "matrices_to_grow",
    "normalized_frobenius",
]
