"""Containers of services that the configuration does not have: what they hold, and that they are turned out once."""

from __future__ import annotations

import pytest

from beaufort.model import NO_COUNTS, Action, Counts, Outcome, Standby
from beaufort.strangers import Strangers

WHY = "is not in the configuration"


@pytest.mark.parametrize(
    ("counts", "held", "leaving"),
    [
        pytest.param(Counts(running=2, starting=1), 3, [Action("gone", 3, 0, WHY)], id="what serves"),
        pytest.param(Counts(stopping=2), 2, [], id="what stops is waited for"),
        pytest.param(Counts(warming=1), 1, [Action("gone", 0, 0, WHY)], id="what is being warmed"),
        pytest.param(Counts(standby=Standby(0, 1, 2)), 3, [Action("gone", 0, 0, WHY)], id="what is paused has memory"),
        pytest.param(Counts(standby=Standby(2)), 0, [Action("gone", 0, 0, WHY)], id="what is made holds nothing"),
        pytest.param(NO_COUNTS, 0, [], id="nothing"),
    ],
)
def test_what_strangers_hold(counts: Counts, held: int, leaving: list[Action]) -> None:
    strangers = Strangers()
    assert strangers.see({"gone": counts, "known": Counts(running=9)}, {"known"}) is bool(held)
    assert strangers.held == ({"gone": held} if held else {})
    assert strangers.turn_out() == leaving
    assert strangers.turn_out() == [], "once"


def test_they_are_asked_again_when_the_first_request_was_answered() -> None:
    strangers, counts = Strangers(), {"gone": Counts(standby=Standby(1))}
    strangers.see(counts, ())
    strangers.turn_out()
    strangers.conclude(Outcome(1.0, "gone", 0))
    assert strangers.see(counts, ())
    assert strangers.turn_out() == [Action("gone", 0, 0, WHY)]
    assert not strangers.see({}, ())
    assert strangers.turn_out() == []
