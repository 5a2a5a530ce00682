from triadapt.ui.watchers import AWAY_SECONDS, Watchers, between_refreshes


def test_who_did_not_ask_for_long_is_gone() -> None:
    watchers = Watchers()
    assert [watchers.here(name, 0.0) for name in ("a", "b", "a")] == [1, 2, 2]
    assert watchers.here("c", AWAY_SECONDS) == 3
    assert watchers.here("c", AWAY_SECONDS + 1) == 1


def test_many_ask_less_often_each_and_no_more_often_in_all() -> None:
    seconds = [between_refreshes(count, alone=0.5, at_once=8, most=2.0) for count in (1, 8, 16, 24, 32, 100)]
    assert seconds == [0.5, 0.5, 1.0, 1.5, 2.0, 2.0]
