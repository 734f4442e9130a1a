"""A second run on the scenario's hosts."""

from behaviour.again import test_a_second_run_changes_nothing

__all__ = ["test_a_second_run_changes_nothing"]
