from benchmarks.made_up_run import GATED, made_up_run
from benchmarks.scale import Target
from benchmarks.scale_runs import LARGE, configs_of_methods
from triadapt.config import parse_config
from triadapt.events import Started, Step
from triadapt.growth.preview import preview


def test_a_target_tells_median_worst_and_whether_it_is_held() -> None:
    at_most, at_least = Target(2, "s"), Target(20, "a second", at_least=True)
    assert at_most.row("opening", [1.0, 3.0, 1.5]) == ("opening", 1.5, 3.0, 3, "at most 2 s", "yes")
    assert at_most.row("opening", [2.5]) == ("opening", 2.5, 2.5, 1, "at most 2 s", "no")
    assert at_least.row("scrubbing", [30.0, 19.0]) == ("scrubbing", 24.5, 19.0, 2, "at least 20 a second", "yes")


def test_made_up_runs_have_the_modules_and_the_length_asked_for() -> None:
    config = parse_config({"steps": 60, "warmup": 20, "interval": 10})
    started, *rest = [row.event for row in made_up_run(config, 2 * len(GATED), 40.0, GATED)]
    assert isinstance(started, Started)
    assert [(matrix.layer, matrix.module) for matrix in started.matrices] == [
        (i, name) for i in (0, 1) for name in GATED
    ]
    assert sum(isinstance(event, Step) for event in rest) == 60


def test_the_large_race_has_about_two_hundred_rank_events() -> None:
    events = {config.method: preview(config, 224).events for config in configs_of_methods(LARGE)}
    assert events.pop("lora") == 0
    assert all(150 <= count <= 250 for count in events.values()), events
