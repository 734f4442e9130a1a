# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: allow-untyped-calls

"""What a systemd unit needs so that it runs what its files say.

The decision is made from state alone: which files were there when the running processes started, against the files
that are there now.  It therefore repairs what an interrupted run left behind, which a handler cannot.

Everything in the first half is free of side effects; :class:`Systemctl` is the only place that talks to systemd.
"""

from __future__ import annotations

import calendar
import json
import re
import time
import typing as t
from pathlib import Path

from ansible_collections.edusphere.platform.plugins.module_utils.read_files import (
    Files,
    compare,
    listing,
    newer,
    start_time,
    survey,
)

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

RECORD_DIRECTORY = "/var/lib/edusphere-platform/units"

SUFFIXES = (".service", ".socket", ".timer", ".target", ".mount", ".automount", ".swap", ".path", ".slice", ".scope")

# What coreutils' timeout exits with when the time is up.
TIMED_OUT = 124

# Where administrators and programs put unit files, the first hiding the second.
ROOTS = ("/etc/systemd/system", "/run/systemd/system")

# The first systemd whose systemd-analyze knows `condition --unit`.
ANALYZE_CONDITION = 250

RUNNING_STATES = ("active", "reloading", "refreshing", "maintenance")

PROPERTIES = (
    "ActiveState",
    "CanReload",
    "DropInPaths",
    "FragmentPath",
    "Id",
    "InactiveExitTimestamp",
    "InactiveExitTimestampMonotonic",
    "InvocationID",
    "LoadError",
    "LoadState",
    "MainPID",
    "NeedDaemonReload",
    "RemainAfterExit",
    "Result",
    "SubState",
    "Type",
    "UnitFileState",
)


class UnitError(Exception):
    """A problem whose text is meant for the operator."""


class Unit(t.NamedTuple):
    """What ``systemctl show`` says about one unit."""

    name: str
    """The name systemd knows it by (an alias is resolved)."""
    load_state: str
    """``loaded``, ``not-found``, ``masked``, ``bad-setting``, ``error``."""
    load_error: str
    active_state: str
    sub_state: str
    file_state: str
    """``enabled``, ``disabled``, ``static``, ``masked``, … or empty."""
    files: t.Tuple[str, ...]
    """The unit's own file and its drop-ins, as they are on disk."""
    invocation: str
    """systemd's id of this very start of the unit; empty when it never ran."""
    started: t.Optional[float]
    """When the unit last began to start: seconds since the epoch, the earlier one if the clock was set since."""
    can_reload: bool
    need_daemon_reload: bool
    """Whether systemd has yet to read those files."""
    finishes: bool
    """A oneshot unit that is inactive again once it has done its work."""
    result: str
    main_pid: int
    """0 when nothing runs."""

    @property
    def exists(self) -> bool:
        return self.load_state != "not-found"

    @property
    def running(self) -> bool:
        return self.active_state in RUNNING_STATES


class Record(t.NamedTuple):
    """What was true when the unit was last known to run what its files said."""

    invocation: str
    restart: t.Dict[str, str]
    """Path to digest of what only a restart reads."""
    reload: t.Dict[str, str]
    """Path to digest of what a reload reads again."""


class Decision(t.NamedTuple):
    needs: str
    """``none``, ``adopt``, ``start``, ``restart`` or ``reload``."""
    reason: str


def unit_name(name: str) -> str:
    """The full name of a unit: ``.service`` when it has no suffix.

    Raises :class:`UnitError` for a template without an instance and for what cannot be a unit's name.
    """
    full = name if name.endswith(SUFFIXES) else name + ".service"
    if not re.fullmatch(r"[A-Za-z0-9:_\\@][A-Za-z0-9:_.\\@-]*", name):
        raise UnitError("name: %r is not a unit's name" % name)
    if full.rpartition(".")[0].endswith("@"):
        raise UnitError("name: %s is a template; name an instance, such as %s" % (full, full.replace("@.", "@main.")))
    return full


def parse_show(text: str) -> t.Dict[str, str]:
    """``systemctl show`` output, one ``Property=value`` a line."""
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def parse_timestamp(text: str) -> t.Optional[float]:
    """``Sun 2026-11-22 17:39:01.123456 UTC`` (``--timestamp=us+utc``) in seconds since the epoch."""
    words = text.split()
    if len(words) != 4 or words[3] != "UTC":
        return None
    clock, fraction = (words[2] + ".").split(".")[:2]
    # No %a: the day's name depends on the locale, and says nothing that the date does not.
    parsed = time.strptime(words[1] + " " + clock, "%Y-%m-%d %H:%M:%S")
    return calendar.timegm(parsed) + float("0." + (fraction or "0"))


def parse_unit(properties: t.Mapping[str, str], now: float, now_monotonic: float) -> Unit:
    """A :class:`Unit` from the properties that ``systemctl show`` printed."""
    monotonic = int(properties.get("InactiveExitTimestampMonotonic") or 0) / 1e6
    loaded = tuple(path for path in (properties["FragmentPath"], *properties["DropInPaths"].split()) if path)
    files = unit_files(properties["Id"], loaded)
    return Unit(
        name=properties.get("Id", ""),
        load_state=properties.get("LoadState", ""),
        load_error=properties.get("LoadError", ""),
        active_state=properties.get("ActiveState", ""),
        sub_state=properties.get("SubState", ""),
        file_state=properties.get("UnitFileState", ""),
        files=files,
        invocation=properties.get("InvocationID", ""),
        # The start of the whole start, not of the main process: for Type=forking systemd learns of that one only
        # after it has read its configuration.
        started=start_time(parse_timestamp(properties.get("InactiveExitTimestamp", "")), monotonic, now, now_monotonic),
        can_reload=properties.get("CanReload") == "yes",
        need_daemon_reload=properties["NeedDaemonReload"] == "yes" or files != loaded,
        finishes=properties.get("Type") == "oneshot" and properties.get("RemainAfterExit") == "no",
        result=properties.get("Result", ""),
        main_pid=int(properties.get("MainPID") or 0),
    )


def unit_files(name: str, loaded: t.Sequence[str]) -> t.Tuple[str, ...]:
    """The unit's own file and its drop-ins on disk; ``loaded`` are those that systemd has read.

    systemd itself does not notice (``NeedDaemonReload``) a unit file that now hides another, nor, up to 252 at least,
    the first drop-in of a unit.  Only the directories that administrators and programs write to are looked at; the
    others belong to packages, which have systemd read its files again.
    """
    template = re.sub(r"@.*(?=\.)", "@", name)
    names = (name, template) if template != name else (name,)
    files = list(loaded)
    own = [root / unit for unit in names for root in map(Path, ROOTS) if (root / unit).exists()]
    if own and not (loaded and own[0].resolve() == Path(loaded[0]).resolve()):
        files[:1] = [str(own[0])]
    known = {Path(path).name for path in loaded[1:]}
    for root in map(Path, ROOTS):
        for unit in names:
            for path in sorted((root / (unit + ".d")).glob("*.conf")):
                if str(path) not in files and (path.name not in known or str(root) == ROOTS[0]):
                    files.append(str(path))
                    known.add(path.name)
    return tuple(files)


def decide(unit: Unit, restart: Files, reload: Files, record: t.Optional[Record]) -> Decision:
    """What ``unit`` needs to run what its files say.

    ``restart`` are the files that its processes read only when they start, ``reload`` those that a reload reads again.
    """
    if unit.active_state == "activating":
        return Decision("restart", "it is not up yet (%s)" % unit.sub_state)
    if not unit.running:
        return Decision("start", "it is not running (%s)" % (unit.sub_state or unit.active_state or "unknown"))
    if record is not None and record.invocation == unit.invocation:
        differences = compare(record.restart, restart)
        if differences:
            return Decision("restart", listing(differences))
        differences = compare(record.reload, reload)
        if differences:
            return _reload(unit, listing(differences))
        return Decision("none", "it runs what its files say")
    # Somebody else started it: an operator, a package, a reboot.  The times of the files tell what it has read.
    differences = newer(unit.started, restart, record.restart if record else {})
    if differences:
        return Decision("restart", listing(differences) + " after it was started")
    differences = newer(unit.started, reload, record.reload if record else {})
    if differences:
        return _reload(unit, listing(differences) + " after it was started")
    return Decision("adopt", "it was started by somebody else, after the last change of its files")


def foresee(decision: Decision, unit: Unit, restart_pending: bool, reload_pending: bool) -> Decision:
    """The decision that a run would take which also makes the changes that check mode only reports."""
    if decision.needs in ("start", "restart"):
        return decision
    if restart_pending:
        return Decision("restart", "its files would change")
    if reload_pending and decision.needs != "reload":
        return _reload(unit, "its files would change")
    return decision


def _reload(unit: Unit, reason: str) -> Decision:
    if unit.can_reload:
        return Decision("reload", reason)
    return Decision("restart", reason + " (it has no ExecReload)")


def record_path(name: str) -> str:
    return "%s/%s.json" % (RECORD_DIRECTORY, name)


def load_record(path: str) -> t.Optional[Record]:
    """The record of a unit, or ``None`` where there is none that can be read."""
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
        return Record(
            invocation=str(data["invocation"]),
            restart=dict(data["restart"]),
            reload=dict(data["reload"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None  # Without a record the times of the files decide, which is always safe.


def dump_record(record: Record) -> str:
    return json.dumps(record._asdict(), indent=1, sort_keys=True) + "\n"


class Systemctl:
    """The system manager, asked through ``systemctl`` and never by reading its prose."""

    def __init__(self, module: AnsibleModule) -> None:
        self._module = module
        self._timeout: int = module.params["timeout"]
        self._systemctl: str = module.get_bin_path("systemctl", required=True)

    def show(self, name: str) -> Unit:
        properties = "--property=" + ",".join(PROPERTIES)
        rc, out, err = self._run([self._systemctl, "show", "--timestamp=us+utc", properties, "--", name])
        if rc != 0:
            raise UnitError("systemd does not answer: %s" % err.strip())
        return parse_unit(parse_show(out), time.time(), time.clock_gettime(time.CLOCK_MONOTONIC))

    def condition_met(self, name: str) -> bool:
        """Whether the unit's ``Condition…=`` lines hold now.

        The unit's own ``ConditionResult`` does not tell: systemd forgets a unit that neither runs nor is referred to.
        """
        version = parse_show(self._run([self._systemctl, "show", "--property=Version"])[1])["Version"]
        if int(re.split(r"\D", version, maxsplit=1)[0]) < ANALYZE_CONDITION:
            return True
        return self._run(["systemd-analyze", "condition", "--unit=" + name])[0] == 0

    def daemon_reload(self) -> None:
        rc, err = self._run([self._systemctl, "daemon-reload"])[::2]
        if rc != 0:
            raise UnitError("systemctl daemon-reload failed: %s" % err.strip())

    def do(self, verb: str, name: str) -> None:
        """Run ``systemctl VERB NAME`` and wait for its end; :class:`UnitError` has the unit's last words."""
        rc, err = self._run([self._systemctl, verb, "--", name])[::2]
        if rc == TIMED_OUT:
            problem = "%s: systemctl %s was not done within %d s (parameter timeout)" % (name, verb, self._timeout)
            raise UnitError("%s\n%s" % (problem, self.report(name)))
        if rc != 0:
            raise UnitError("systemctl %s %s failed: %s\n%s" % (verb, name, err.strip(), self.report(name)))

    def report(self, name: str) -> str:
        """How a unit is and the last lines of its journal, for a person to read."""
        status = self._run([self._systemctl, "status", "--no-pager", "--full", "--lines=0", "--", name])[1]
        journal = self._run(["journalctl", "--no-pager", "--output=cat", "--lines=25", "--unit=" + name])[1]
        return "%s\nThe last lines of its journal:\n%s" % (status.strip(), journal.strip())

    def validate(self, argv: t.List[str]) -> None:
        rc, out, err = self._run(argv)
        if rc != 0:
            problem = "`%s` rejects the configuration (status %d), so the unit was left as it is" % (" ".join(argv), rc)
            raise UnitError("%s:\n%s" % (problem, (out + err).strip()))

    def _run(self, argv: t.List[str]) -> t.Tuple[int, str, str]:
        # coreutils' timeout, since run_command knows none.
        rc, out, err = self._module.run_command(
            ["timeout", str(self._timeout), *argv], environ_update={"LC_ALL": "C.UTF-8", "SYSTEMD_COLORS": "0"}
        )
        return int(rc), str(out), str(err)


class Inspection(t.NamedTuple):
    """All that is known of a unit, and what it needs."""

    unit: Unit
    restart: Files
    reload: Files
    record: t.Optional[Record]
    decision: Decision


def inspect(module: AnsibleModule, systemctl: Systemctl) -> Inspection:
    """What the unit that the module's parameters name needs; changes nothing."""
    params = module.params
    unit = systemctl.show(unit_name(params["name"]))
    restart = survey(list(unit.files) + params["restart_on"])
    reload = {path: entry for path, entry in survey(params["reload_on"]).items() if path not in restart}
    record = load_record(record_path(unit.name))
    decision = decide(unit, restart, reload, record)
    if module.check_mode:
        decision = foresee(decision, unit, params["restart_pending"], params["reload_pending"])
    return Inspection(unit, restart, reload, record, decision)


def argument_spec() -> t.Dict[str, t.Any]:
    """The parameters that both modules have."""
    return {
        "name": {"type": "str", "required": True},
        "restart_on": {"type": "list", "elements": "path", "default": []},
        "reload_on": {"type": "list", "elements": "path", "default": []},
        "restart_pending": {"type": "bool", "default": False},
        "reload_pending": {"type": "bool", "default": False},
        "timeout": {"type": "int", "default": 120},
    }
