"""A second run: scenarios import it as their first test by its file's name, before others change the site."""

from __future__ import annotations

import pytest

from behaviour.hosts import playbook, tasks


@pytest.mark.exhaustive("a second run changes nothing, for other applications and on several hosts, too")
def test_a_second_run_changes_nothing() -> None:
    assert tasks(playbook().stdout, "changed") == set()
