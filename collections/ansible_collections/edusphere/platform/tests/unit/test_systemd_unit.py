"""The decision of edusphere.platform.systemd_unit, from states that need no systemd."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.edusphere.platform.plugins.module_utils import read_files
from ansible_collections.edusphere.platform.plugins.module_utils import systemd_unit as su
from ansible_collections.edusphere.platform.plugins.module_utils.read_files import Files
from ansible_collections.edusphere.platform.plugins.modules import systemd_unit as module

STARTED = 1_000_000.0


def unit(**changes: object) -> su.Unit:
    values: dict[str, object] = {
        "name": "web.service",
        "load_state": "loaded",
        "load_error": "",
        "active_state": "active",
        "sub_state": "running",
        "file_state": "enabled",
        "files": (),
        "invocation": "this",
        "started": STARTED,
        "can_reload": True,
        "need_daemon_reload": False,
        "finishes": False,
        "result": "success",
        "main_pid": 1,
    }
    return su.Unit(**{**values, **changes})  # type: ignore[arg-type]


def files(changed: float = STARTED - 60, **digests: str) -> Files:
    return {f"/etc/{name}": read_files.Entry(digest, changed) for name, digest in digests.items()}


def record(invocation: str = "this", restart: Files | None = None, reload: Files | None = None) -> su.Record:
    return su.Record(invocation, read_files.digests(restart or {}), read_files.digests(reload or {}))


@pytest.mark.parametrize("state", ["inactive", "failed", "deactivating"])
def test_what_does_not_run_is_started(state: str) -> None:
    assert su.decide(unit(active_state=state), {}, {}, None).needs == "start"


def test_what_is_not_up_yet_is_restarted() -> None:
    stuck = unit(active_state="activating", sub_state="auto-restart")
    assert su.decide(stuck, {}, {}, record()) == su.Decision("restart", "it is not up yet (auto-restart)")


def test_what_runs_its_files_is_left_alone_whatever_their_times() -> None:
    now = files(changed=STARTED + 60, a="1")
    assert su.decide(unit(), now, now, record(restart=now, reload=now)).needs == "none"


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (files(a="2", b="1"), "/etc/a changed"),
        (files(a="1"), "/etc/b was removed"),
        (files(a="1", b="1", c="1"), "/etc/c was added"),
    ],
)
def test_another_digest_needs_a_restart_and_says_which(now: Files, reason: str) -> None:
    assert su.decide(unit(), now, {}, record(restart=files(a="1", b="1"))) == su.Decision("restart", reason)


def test_files_of_a_reload_need_a_reload() -> None:
    assert su.decide(unit(), {}, files(a="2"), record(reload=files(a="1"))).needs == "reload"


def test_without_a_way_to_reload_it_is_a_restart() -> None:
    assert su.decide(unit(can_reload=False), {}, files(a="2"), record(reload=files(a="1"))).needs == "restart"


def test_a_restart_includes_the_reload() -> None:
    before = record(restart=files(a="1"), reload=files(b="1"))
    assert su.decide(unit(), files(a="2"), files(b="2"), before).needs == "restart"


@pytest.mark.parametrize("before", [None, record("another", files(a="0"), files(b="0"))])
def test_somebody_elses_start_after_the_last_change_is_adopted(before: su.Record | None) -> None:
    assert su.decide(unit(), files(a="1"), files(b="1"), before).needs == "adopt"


@pytest.mark.parametrize("before", [None, record("another", files(a="1"), files(b="1"))])
def test_somebody_elses_start_before_a_change_is_not(before: su.Record | None) -> None:
    late = STARTED + 1
    assert su.decide(unit(), files(late, a="1"), files(b="1"), before).needs == "restart"
    assert su.decide(unit(), files(a="1"), files(late, b="1"), before).needs == "reload"


def test_a_file_of_the_same_moment_counts_as_newer() -> None:
    assert su.decide(unit(), files(STARTED - read_files.CLOCK_TICK / 2, a="1"), {}, None).needs == "restart"


def test_an_unknown_start_counts_as_older() -> None:
    assert su.decide(unit(started=None), {}, {}, None).needs == "restart"


def test_times_of_generated_unit_files_say_nothing() -> None:
    generated = {"/run/systemd/generator/web.service": read_files.Entry("1", STARTED + 60)}
    assert su.decide(unit(), generated, {}, None).needs == "adopt"


def test_a_file_removed_after_somebody_elses_start(tmp_path: Path) -> None:
    gone = str(tmp_path / "gone")
    before = su.Record("another", {gone: "1"}, {})
    changed = tmp_path.stat().st_ctime
    assert su.decide(unit(started=changed - 1), {}, {}, before).needs == "restart"
    assert su.decide(unit(started=changed + 1), {}, {}, before).needs == "adopt"


def test_check_mode_foresees_what_it_cannot_see() -> None:
    calm = su.Decision("none", "")
    assert su.foresee(calm, unit(), restart_pending=False, reload_pending=False) == calm
    assert su.foresee(calm, unit(), restart_pending=True, reload_pending=True).needs == "restart"
    assert su.foresee(calm, unit(), restart_pending=False, reload_pending=True).needs == "reload"
    assert su.foresee(su.Decision("reload", ""), unit(), restart_pending=True, reload_pending=False).needs == "restart"
    start = su.Decision("start", "")
    assert su.foresee(start, unit(), restart_pending=True, reload_pending=True) == start


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("nginx", "nginx.service"),
        ("nginx.service", "nginx.service"),
        ("backup.timer", "backup.timer"),
        ("web@a", "web@a.service"),
        ("postgresql@17-main", "postgresql@17-main.service"),
        ("python3.11", "python3.11.service"),
    ],
)
def test_names(name: str, full: str) -> None:
    assert su.unit_name(name) == full


@pytest.mark.parametrize("name", ["", "web@", "web@.service", "../web", "a b", "-x", "web;id"])
def test_refused_names(name: str) -> None:
    with pytest.raises(su.UnitError, match="name: "):
        su.unit_name(name)


def test_start_time_follows_the_earlier_clock() -> None:
    assert read_files.start_time(100.0, 10.0, now=200.0, now_monotonic=110.0) == 100.0
    # The clock was set forward by 50 s since: files from before that carry earlier times.
    assert read_files.start_time(100.0, 10.0, now=250.0, now_monotonic=110.0) == 100.0
    # It was set back by 50 s since: a file written now seems older than a start at 100.
    assert read_files.start_time(100.0, 10.0, now=150.0, now_monotonic=110.0) == 50.0
    assert read_files.start_time(None, 0.0, now=1.0, now_monotonic=1.0) is None


def test_timestamps() -> None:
    assert su.parse_timestamp("Sun 2026-11-22 17:39:01.250000 UTC") == 1795369141.25
    assert su.parse_timestamp("Sun 2026-11-22 17:39:01 UTC") == 1795369141.0
    assert su.parse_timestamp("") is None
    assert su.parse_timestamp("n/a") is None


def test_survey_of_files(tmp_path: Path) -> None:
    (tmp_path / "conf" / "__pycache__").mkdir(parents=True)
    (tmp_path / "conf" / "a").write_text("1")
    (tmp_path / "conf" / "__pycache__" / "a.pyc").write_text("1")
    found = read_files.survey([f"{tmp_path}/conf", f"{tmp_path}/missing", f"{tmp_path}/conf/a/below"])
    assert set(found) == {f"{tmp_path}/conf", f"{tmp_path}/conf/a"}
    (tmp_path / "conf" / "a").chmod(0o600)
    again = read_files.survey([f"{tmp_path}/conf"])
    assert read_files.compare(read_files.digests(found), again) == [f"{tmp_path}/conf/a changed"]


def test_survey_of_patterns(tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_text("1")
    (tmp_path / "b.txt").write_text("1")
    assert set(read_files.survey([f"{tmp_path}/*.conf"])) == {f"{tmp_path}/", f"{tmp_path}/a.conf"}
    assert set(read_files.survey([f"{tmp_path}/a[.]conf"])) == {f"{tmp_path}/", f"{tmp_path}/a.conf"}


def test_survey_of_links(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "a").write_text("1")
    link = tmp_path / "current"
    link.symlink_to("one")
    found = read_files.survey([str(link)])
    assert found[str(link)].digest == f"-> {tmp_path}/one"
    assert len(found) == 1
    assert f"{link}/a" in read_files.survey([f"{link}/"])
    (tmp_path / "file").symlink_to("one/a")
    before = read_files.digests(read_files.survey([f"{tmp_path}/file"]))
    (tmp_path / "one" / "a").write_text("2")
    assert read_files.compare(before, read_files.survey([f"{tmp_path}/file"])) == [f"{tmp_path}/file changed"]
    (tmp_path / "dangling").symlink_to("nowhere")
    assert read_files.survey([f"{tmp_path}/dangling"])[f"{tmp_path}/dangling"].digest == "-> nowhere"


def test_a_file_behind_a_young_link_is_young(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "a").write_text("1")
    time.sleep(0.05)
    (tmp_path / "current").symlink_to("one")
    young = (tmp_path / "current").lstat().st_ctime
    assert read_files.survey([f"{tmp_path}/current/a"])[f"{tmp_path}/current/a"].changed == young
    assert read_files.survey([f"{tmp_path}/one/a"])[f"{tmp_path}/one/a"].changed < young


def test_a_date_in_the_past_does_not_hide_a_change(tmp_path: Path) -> None:
    before = time.time() - 1
    (tmp_path / "a").write_text("1")
    os.utime(tmp_path / "a", (0, 0))
    assert read_files.survey([f"{tmp_path}/a"])[f"{tmp_path}/a"].changed >= before


def test_unit_files_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    etc, run, usr = tmp_path / "etc", tmp_path / "run", tmp_path / "usr"
    for directory in (etc / "web@a.service.d", etc / "web@.service.d", run / "web@a.service.d", usr):
        directory.mkdir(parents=True)
    monkeypatch.setattr(su, "ROOTS", (str(etc), str(run)))
    packaged = str(usr / "web@.service")
    assert su.unit_files("web@a.service", [packaged]) == (packaged,)
    for path in (etc / "web@a.service.d/x.conf", etc / "web@.service.d/y.conf", run / "web@a.service.d/x.conf"):
        path.write_text("")
    expected = (packaged, f"{etc}/web@a.service.d/x.conf", f"{etc}/web@.service.d/y.conf")
    assert su.unit_files("web@a.service", [packaged]) == expected
    assert su.unit_files("web@a.service", expected) == expected
    (etc / "web@.service").write_text("")
    assert su.unit_files("web@a.service", expected)[0] == f"{etc}/web@.service"


def test_records_survive_and_wrong_ones_do_not(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    kept = record("this", files(a="1"), files(b="2"))
    path.write_text(su.dump_record(kept))
    assert su.load_record(str(path)) == kept
    for text in ("", "{", "[]", '{"invocation": "x"}', "null"):
        path.write_text(text)
        assert su.load_record(str(path)) is None
    assert su.load_record(str(tmp_path / "missing")) is None


class Stopping:
    """A systemd whose unit has the next of these states whenever it is told something."""

    def __init__(self, *states: str) -> None:
        self.states = list(states)
        self.told: list[str] = []

    def do(self, verb: str, _name: str) -> None:
        self.told.append(verb)
        self.states.pop(0)

    def show(self, _name: str) -> su.Unit:
        return unit(active_state=self.states[0])


@pytest.mark.parametrize(
    ("check_mode", "states", "told", "action"),
    [
        (False, ["active", "inactive"], ["stop"], "stopped"),
        # Its processes were killed, by an operator or at the end of their time.
        (False, ["active", "failed", "inactive"], ["stop", "reset-failed"], "stopped"),
        # In a run that was killed; now it is nothing that anybody has to look into.
        (False, ["failed", "inactive"], ["reset-failed"], "none"),
        (True, ["failed"], [], "none"),
        (False, ["inactive"], [], "none"),
    ],
)
def test_what_is_wanted_stopped_is_inactive(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    check_mode: bool,
    states: list[str],
    told: list[str],
    action: str,
) -> None:
    """However its processes have ended."""
    monkeypatch.setattr(module, "record_path", lambda name: str(tmp_path / name))
    systemd: Any = Stopping(*states)
    asked: Any = SimpleNamespace(check_mode=check_mode, params={"drain_time": 0})
    outcome = module.stop(asked, systemd, systemd.show("web"))
    assert (outcome.action, systemd.told) == (action, told)
    assert outcome.unit.active_state == states[-1]
