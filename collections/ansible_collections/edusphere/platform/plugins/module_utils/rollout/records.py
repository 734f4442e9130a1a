# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an app host remembers of its site: read, checked against what it runs, and read back from that where it is lost.

The records are small JSON files in one directory, ``NAME.fact`` each:

``live``          ``{"release", "version", "since", "slot" (native mode), "rolled_back", "format"}``: what serves
``releases``      a list of ``{"release", "version", "since"}``, the newest first, with ``failed`` or ``withdrawn``
``schema``        ``{"APP.MIGRATION": reason}``: applied migrations that earlier code can't live with
``pages``         ``{"release"}``: whose pages the fronts serve
``closed``        ``{"release"}``: for which release the site was closed for maintenance
``after_switch``  ``"due"``: the operator's steps after a switch have not come to their end
``before``        ``{"release"}``: Compose mode, whose environment is kept beside the stack's own for the way back

Keys that are not known here are kept as they are.  Everything in this file is free of side effects: the module
``site_records`` looks at the host and writes.
"""

from __future__ import annotations

import json
import re
import typing as t

NAMES = ("live", "releases", "schema", "pages", "closed", "after_switch", "before")

FORMAT = 2
"""Of ``live``.  Since 2 there is always a ``schema``, empty where earlier code can live with every migration; before, a
site without such migrations had none."""

LOST = "*"
"""In ``schema``: every migration that was applied before then, since the record of them was lost."""

RELEASE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
# Of the reason of LOST.
NOTICED = re.compile(r"noticed (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)")

Entry = t.Dict[str, t.Any]


class RecordError(ValueError):
    """What is wrong with a record, as the end of the sentence "live.fact …"."""


class Remembered(t.NamedTuple):
    """One record as it was found."""

    value: t.Any
    """``None`` where it is missing or damaged."""
    damage: str = ""
    """What is wrong with it, as in :class:`RecordError`; empty also where it is missing."""


class Backend(t.NamedTuple):
    """A slot of the host, or the containers of one release."""

    name: str
    """The unit, or a container."""
    slot: str
    """``a`` or ``b``; empty in Compose mode."""
    release: str
    """What it runs, or would run; empty where nothing says it."""
    up: bool
    fronted: bool
    """Whether nginx' configuration leads to it."""
    enabled: bool
    """Whether it is what starts with the host."""
    since: str
    """When it became so, as records say times."""
    stale: str = ""
    """Why it can't run on as it is, such as a removed directory; empty where it can."""


class Built(t.NamedTuple):
    """A release whose files, or whose image, are on the host."""

    release: str
    version: str
    since: str


class Host(t.NamedTuple):
    """What is there, whatever the records say."""

    native: bool
    backends: t.Tuple[Backend, ...] = ()
    built: t.Optional[t.Tuple[Built, ...]] = ()
    """``None`` where it can't be asked."""
    closed: bool = False
    """Whether the page is in place that closes the site."""
    stack_release: str = ""
    """Compose mode: the release that the stack's own ``.env`` names."""
    kept_environment: bool = False
    """Compose mode: whether an environment is kept for the way back."""


class Known(t.NamedTuple):
    """What the roles go by."""

    facts: t.Dict[str, t.Any]
    """The records by name, every one of them of the shape above; those without a value are left out."""
    differences: t.List[str]
    """Where the records are damaged or differ from what is there, for people."""
    refusal: str = ""
    """Why a run can't go on; empty where it can."""
    stale: str = ""
    """Why the live release has to be started anew although nothing was changed."""


def parse(name: str, text: bytes, native: bool) -> t.Any:
    """A record's value; :class:`RecordError` for one that isn't of its shape."""
    if not text.strip():
        raise RecordError("is empty")
    try:
        value = json.loads(text.decode("utf-8"))
    except ValueError as error:
        raise RecordError("is not JSON") from error
    if name == "after_switch":
        if value != "due":
            raise RecordError("has another content than it should")
        return value
    if name == "releases":
        if not isinstance(value, list):
            raise RecordError("is no list of releases")
        return [_release(entry) for entry in value]
    if not isinstance(value, dict):
        raise RecordError("is no JSON object")
    if name == "schema":
        if not all(isinstance(reason, str) for reason in value.values()):
            raise RecordError("has something else than reasons in it")
        return value
    if name == "live":
        value = _release(value)
        if native and value.get("slot") not in ("a", "b"):
            raise RecordError("names no slot")
        if not isinstance(value.get("rolled_back", False), bool) or not isinstance(value.get("format", 1), int):
            raise RecordError("has a value of another type than it should")
        return value
    # A first installation has nothing to keep, and says so in `before`.
    release = value.get("release")
    if not isinstance(release, str) or not (RELEASE.fullmatch(release) or (name == "before" and not release)):
        raise RecordError("names no release")
    return value


def _release(entry: t.Any) -> Entry:
    """An entry with all that is read of it."""
    if not isinstance(entry, dict) or not isinstance(entry.get("release"), str):
        raise RecordError("names no release")
    if not RELEASE.fullmatch(entry["release"]):
        raise RecordError("names no release")
    if not all(isinstance(entry.get(key, ""), str) for key in ("version", "since")):
        raise RecordError("has a value of another type than it should")
    return {"version": version_of(entry["release"]), "since": "", **entry}


def version_of(release: str) -> str:
    """The version in a release's name, as nearly as the name has it."""
    return re.sub(r"-[0-9a-f]{12}$", "", release)


def recall(records: t.Mapping[str, Remembered], host: Host, now: str, forget: bool = False) -> Known:
    """What the roles go by, of the records and of what is there.

    A whole record is believed unless something else serves.  What is lost is read back from what is there; where a
    backend runs of which nothing says what it is, that is refused.  With ``forget``, retained releases whose files are
    gone are left out.
    """
    differences = ["%s.fact %s" % (name, found.damage) for name, found in records.items() if found.damage]
    values = {name: records[name].value for name in NAMES if name in records and records[name].value is not None}
    facts: t.Dict[str, t.Any] = {}
    refusal = ""

    backend = serving(values.get("live"), host)
    live = values.get("live")
    if backend and (live is None or not _same(live, backend)):
        differences.append(_adoption(live, backend))
        live = adopted(live, backend, host)
    elif live is None:
        unknown = [each.name for each in host.backends if each.up and (each.fronted or each.enabled)]
        if unknown:
            refusal = (
                "%s serves, and neither a record nor a link nor its directory says which release it is" % unknown[0]
            )
            differences.append(refusal)
        differences += [
            "%s runs without a record, and nothing leads to it" % each.name
            for each in host.backends
            if each.up and each.name not in unknown
        ]
    if live is None:
        # A first installation, or one that was killed. What the schema does not forgive holds all the same.
        return Known({name: values[name] for name in values if name != "live"}, differences, refusal)
    facts["live"] = live

    stale = _staleness(live, host)
    if stale:
        differences.append(stale)
    facts["releases"] = _retained(values.get("releases"), live, host, differences, forget)
    schema = _schema(records, values, facts["releases"], live, now, differences)
    if schema is not None:
        facts["schema"] = schema
    closed = values.get("closed") or _closed(live, host, differences)
    if closed:
        facts["closed"] = closed
    if "after_switch" in values or records.get("after_switch", Remembered(None)).damage:
        facts["after_switch"] = "due"
    before = values.get("before") or _before(records, live, host)
    if before:
        facts["before"] = before
    if "pages" in values:
        facts["pages"] = values["pages"]
    return Known(facts, differences, refusal, stale)


def serving(live: t.Optional[Entry], host: Host) -> t.Optional[Backend]:
    """The backend that answers requests, or that would if it ran; ``None`` where nothing says which one that is.

    One that merely runs is none: a killed installation leaves such.
    """
    known = [backend for backend in host.backends if backend.release]
    recorded = [backend for backend in known if live and _same(live, backend)]
    up = [backend for backend in known if backend.up]
    if recorded and recorded[0].up:
        return recorded[0]
    # nginx goes before what starts with the host: a switch comes to it first.
    ways = [
        [backend for backend in up if backend.fronted],
        recorded,
        [] if live else [backend for backend in up if backend.enabled],
        [] if live else [backend for backend in known if backend.fronted],
        [] if live else [backend for backend in known if backend.enabled],
    ]
    return next((found[0] for found in ways if found), None)


def _same(live: Entry, backend: Backend) -> bool:
    return bool(live["release"] == backend.release and live.get("slot", "") == backend.slot)


def _adoption(live: t.Optional[Entry], backend: Backend) -> str:
    serves = "%s serves release %s" % (backend.name, backend.release)
    if live is None:
        return "there is no whole live.fact, and %s" % serves
    return "live.fact says that release %s serves%s, and %s" % (
        live["release"],
        " in slot %s" % live["slot"] if live.get("slot") else "",
        serves,
    )


def adopted(live: t.Optional[Entry], backend: Backend, host: Host) -> Entry:
    """The record of what serves, made of what is there."""
    versions = {built.release: built.version for built in host.built or ()}
    entry: Entry = {
        "release": backend.release,
        "version": versions.get(backend.release) or version_of(backend.release),
        "since": backend.since,
        "rolled_back": False,
    }
    if backend.slot:
        entry["slot"] = backend.slot
    if live and "format" in live:
        entry["format"] = live["format"]
    return entry


def _staleness(live: Entry, host: Host) -> str:
    """Why the live release has to be started anew."""
    if host.native and not [each for each in host.backends if each.slot == live["slot"]]:
        return "the slot %s, which serves by live.fact, is gone" % live["slot"]
    return next((each.stale for each in host.backends if _same(live, each) and each.stale), "")


def _retained(
    releases: t.Optional[t.List[Entry]], live: Entry, host: Host, differences: t.List[str], forget: bool
) -> t.List[Entry]:
    own = {key: live[key] for key in ("release", "version", "since") if key in live}
    if releases is None:
        # Which of them have served well is lost with the record. What the other slot had is what served before.
        before = {backend.release for backend in host.backends}
        built = sorted(host.built or (), key=lambda each: each.since, reverse=True)
        found: t.List[Entry] = [
            {"release": each.release, "version": each.version, "since": each.since}
            if each.release in before
            else {"release": each.release, "version": each.version, "since": each.since, "withdrawn": True}
            for each in built
            if each.release != live["release"]
        ]
        differences.append(
            "there is no whole releases.fact; %d retained releases were found%s"
            % (len(found), ", to which a rollback goes back by name" if found else "")
        )
        return [own, *found]
    if live["release"] not in [entry["release"] for entry in releases]:
        releases = [own, *releases]
    if host.built is None:
        return releases
    there = {built.release for built in host.built}
    gone = [entry for entry in releases if entry["release"] not in there]
    differences += [
        "the files of release %s are gone, %s"
        % (entry["release"], "which serves" if entry["release"] == live["release"] else "which is retained")
        for entry in gone
    ]
    return [entry for entry in releases if not (forget and entry in gone and entry["release"] != live["release"])]


def _schema(
    records: t.Mapping[str, Remembered],
    values: t.Mapping[str, t.Any],
    releases: t.Sequence[Entry],
    live: Entry,
    now: str,
    differences: t.List[str],
) -> t.Optional[t.Dict[str, str]]:
    schema: t.Optional[t.Dict[str, str]] = values.get("schema")
    if schema is not None:
        noticed = NOTICED.search(schema.get(LOST, ""))
        # A release that came after it met every earlier migration when it was deployed.
        if noticed and all(entry.get("since", "") > noticed[1] for entry in releases):
            schema = {name: reason for name, reason in schema.items() if name != LOST}
        return schema
    lost = records.get("schema", Remembered(None)).damage or "live" not in values or live.get("format", 1) >= FORMAT
    if not lost:
        return None
    differences.append(
        "there is no whole schema.fact: a rollback is refused where later migrations have to be accepted"
    )
    return {LOST: "the record of what it does was lost (noticed %s)" % now}


def _closed(live: Entry, host: Host, differences: t.List[str]) -> t.Optional[Entry]:
    """For which release the site was closed: the one that was about to serve."""
    if not host.closed:
        return None
    other = [backend.release for backend in host.backends if backend.release not in ("", live["release"])]
    built = sorted(host.built or (), key=lambda each: each.since, reverse=True)
    there = [each.release for each in built if each.release != live["release"]]
    release = next((each for each in other + there if each in there), live["release"])
    differences.append("the site is closed for maintenance, and no closed.fact says for what; taken for %s" % release)
    return {"release": release}


def _before(records: t.Mapping[str, Remembered], live: Entry, host: Host) -> t.Optional[Entry]:
    """What is kept is of what serves, where the stack is another release's by now."""
    damaged = records.get("before", Remembered(None)).damage
    if damaged and host.kept_environment and host.stack_release not in ("", live["release"]):
        return {"release": live["release"]}
    return None


def unsafe(foreign: t.Sequence[str], schema: t.Mapping[str, str], accepted: t.Sequence[str]) -> t.List[str]:
    """Which of the migrations that a release does not know it can't live with, unless they are ``accepted``."""
    return [name for name in foreign if (name in schema or LOST in schema) and name not in accepted]


def peer(text: str, separator: str = "@@") -> t.Dict[str, t.Any]:
    """``{"live", "schema"}`` of a host that is asked without Python.

    The text has ``live``, ``schema`` and what else tells that a site is there, each after a line with the separator.  A
    record that is damaged, or missing although a site is there, is of an unknown release; so is a text that is none.
    """
    parts = re.split(r"^%s\n" % re.escape(separator), text.replace("\r\n", "\n"), flags=re.MULTILINE)
    if len(parts) != 4:
        return {"live": {"release": "unknown"}, "schema": None}
    found: t.Dict[str, t.Any] = {}
    for name, part in (("live", parts[1]), ("schema", parts[2])):
        try:
            found[name] = parse(name, part.encode(), native=False) if part.strip() else None
        except RecordError:
            found[name] = {"release": "unknown"} if name == "live" else {LOST: "the record of what it does is damaged"}
    if found["live"] is None and parts[3].strip():
        found["live"] = {"release": "unknown"}
    return found
