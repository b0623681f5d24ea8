"""Stateful tests: what happens, in orders that nobody thought of, beside a model in plain Python."""

from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test


def try_orders(machine: type[RuleBasedStateMachine]) -> None:
    """Let a machine go through a dozen orders of events in the suite, and through hundreds in `make fuzz`."""
    profile = settings.default
    assert profile is not None
    run_state_machine_as_test(machine, settings=settings(max_examples=profile.max_examples // 12))
