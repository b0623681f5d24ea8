"""If these fail, a receiver that is away is hammered, or a message waits for days after it came back."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from workers.backoff import next_attempt
from workers.settings import Settings

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
attempts = st.integers(1, 10_000)
draws = st.floats(0, 1)


def test_the_wait_doubles_from_a_minute_up_to_six_hours() -> None:
    waits = [next_attempt(NOW, attempt, 0.5) - NOW for attempt in range(1, 12)]

    assert waits[:9] == [timedelta(minutes=1 << doubled) for doubled in range(9)]
    assert waits[9:] == [timedelta(hours=6)] * 2


@given(attempts, draws)
def test_the_wait_is_spread_by_a_quarter_and_never_over_seven_and_a_half_hours(attempt: int, draw: float) -> None:
    exact, spread = next_attempt(NOW, attempt, 0.5) - NOW, next_attempt(NOW, attempt, draw) - NOW

    assert exact * 0.75 <= spread <= exact * 1.25
    assert timedelta(seconds=45) <= spread <= timedelta(hours=7, minutes=30)


@given(attempts, draws, draws)
def test_a_later_attempt_never_waits_less_than_an_earlier_one_could_at_the_least(
    attempt: int, one: float, other: float
) -> None:
    assert next_attempt(NOW, attempt + 1, one) >= next_attempt(NOW, attempt, 0.0)
    assert (one < other) <= (next_attempt(NOW, attempt, one) <= next_attempt(NOW, attempt, other))


def test_a_message_is_tried_for_five_days_before_it_is_given_up() -> None:
    waits = [next_attempt(NOW, attempt, 0.5) - NOW for attempt in range(1, Settings().fleet_max_attempts)]

    assert timedelta(days=5) <= sum(waits, timedelta()) <= timedelta(days=5, hours=6)
