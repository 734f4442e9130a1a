#!/usr/bin/python
# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: allow-untyped-calls

from __future__ import annotations

DOCUMENTATION = r"""
module: site_records
short_description: What an app host remembers of its site, checked against what it runs
version_added: 0.1.0
author:
  - EduSphere platform contributors (!UNKNOWN)
description:
  - Reads the records of a site (C(live.fact), C(releases.fact), C(schema.fact), C(pages.fact), C(closed.fact)) and
    looks at what is there, which is units and links, or containers and images, and what nginx' configuration leads to.
  - A whole record is believed, unless something else serves. One that is missing or damaged is read back from what is
    there. The facts are always of the documented shape.
  - They are returned as C(ansible_local), where M(ansible.builtin.setup) has local facts.
attributes:
  check_mode:
    description: Says what it would write, and returns the same facts.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
options:
  directory:
    description: The directory on the host with the records.
    type: path
    required: true
  state:
    description:
      - V(read) only tells.
      - V(mended) writes what was read back, and puts C(current) and the link to the environment right. A damaged record
        is moved aside, to C(NAME.fact.damaged-TIME). It fails where something serves of which nothing says what it is.
    type: str
    choices: [read, mended]
    required: true
  name:
    description: The site's name.
    type: str
    required: true
  native:
    description: Whether the backend runs in units of systemd and not in containers.
    type: bool
    required: true
  root:
    description: The site's root, with C(releases), C(slots), C(current) and C(stack).
    type: path
    required: true
  environment:
    description: Native mode, the link to the environment of the slot that serves.
    type: path
    required: true
  nginx_site:
    description: nginx' configuration of the site, on the host.
    type: path
    required: true
  closed_page:
    description: The page that closes the site as long as it is there.
    type: path
    required: true
  forget:
    description: Leave out of the retained releases those whose files are gone.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Read this host's records
  edusphere.platform.site_records:
    directory: /srv/edusphere/records
    state: mended
    name: edusphere
    native: true
    root: /srv/edusphere
    environment: /etc/edusphere/app.env
    nginx_site: /etc/nginx/sites-enabled/edusphere.conf
    closed_page: /etc/nginx/edusphere-closed.html
"""

RETURN = r"""
differences:
  description: Where records are damaged, or differ from what is there.
  returned: always
  type: list
  elements: str
stale:
  description: Why the live release has to be started anew, though nothing was changed; empty where it has not.
  returned: always
  type: str
"""

import calendar
import contextlib
import json
import os
import re
import time
import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edusphere.platform.plugins.module_utils.rollout.records import (
    NAMES,
    Backend,
    Built,
    Host,
    RecordError,
    Remembered,
    parse,
    recall,
    version_of,
)

MOMENT = "%Y-%m-%dT%H:%M:%SZ"
UP = ("active", "reloading", "refreshing", "activating", "deactivating")
CONTAINER_UP = ("running", "restarting", "paused")


def moment(seconds: float) -> str:
    return time.strftime(MOMENT, time.gmtime(seconds))


def read_record(directory: Path, name: str, native: bool) -> Remembered:
    """One record as it is."""
    path = directory / (name + ".fact")
    if path.is_dir() and not path.is_symlink():
        return Remembered(None, "is a directory")
    try:
        return Remembered(parse(name, path.read_bytes(), native))
    except FileNotFoundError:
        # A link that leads nowhere is no record, and in its way.
        return Remembered(None, "is a link that leads nowhere" if path.is_symlink() else "")
    except RecordError as error:
        return Remembered(None, str(error))
    except OSError as error:
        return Remembered(None, "can't be read (%s)" % error.strerror)


def text_of(path: Path) -> str:
    """A file's text; empty without one."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def link_time(path: Path) -> str:
    try:
        return moment(path.lstat().st_mtime)
    except OSError:
        return ""


class Looker:
    """Looks at the host; changes nothing."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.name: str = module.params["name"]
        self.root = Path(module.params["root"])
        self.site = text_of(Path(module.params["nginx_site"]))

    def host(self) -> Host:
        closed = Path(self.module.params["closed_page"]).exists()
        if self.module.params["native"]:
            return Host(native=True, backends=tuple(self.slots()), built=tuple(self.directories()), closed=closed)
        stack = self.root / "stack"
        named = re.search(r"^RELEASE=(\S+)$", text_of(stack / ".env"), re.MULTILINE)
        release = named[1] if named else ""
        return Host(
            native=False,
            backends=tuple(self.containers(release)),
            built=self.images(),
            closed=closed,
            stack_release=release,
            kept_environment=(stack / ".env.docker.before").exists(),
        )

    def output(self, *command: str) -> t.Optional[str]:
        """What a command says; ``None`` where it fails or is not there."""
        if not self.module.get_bin_path(command[0]):
            return None
        status, said, _err = self.module.run_command(["timeout", "30", *command], environ_update={"LC_ALL": "C.UTF-8"})
        return str(said) if status == 0 else None

    def slots(self) -> t.Iterator[Backend]:
        """Both slots, but for those that have neither a link nor a process."""
        units = {slot: "%s-backend@%s" % (self.name, slot) for slot in "ab"}
        shown = self.output(
            "systemctl",
            "show",
            "--property=Id,ActiveState,MainPID,UnitFileState",
            *("%s.service" % unit for unit in units.values()),
        )
        states = {}
        for block in (shown or "").split("\n\n"):
            state = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
            states[state.get("Id", "")] = state
        for slot, unit in units.items():
            state = states.get(unit + ".service", {})
            link = self.root / "slots" / slot
            linked, (runs, removed) = self.release_at(str(link.resolve())), self.directory_of(state.get("MainPID", "0"))
            up = state.get("ActiveState") in UP
            if not (linked or up):
                continue
            stale = ""
            if up and removed:
                stale = "%s runs in a directory that was removed" % unit
            elif up and runs and runs != linked:
                stale = "%s runs release %s, and %s leads to %s" % (unit, runs, link, linked or "no release")
            yield Backend(
                name=unit,
                slot=slot,
                release=runs or linked,
                up=up,
                fronted="/run/%s/" % unit.replace("@", "-") in self.site,
                enabled=state.get("UnitFileState") == "enabled",
                since=link_time(link),
                stale=stale,
            )

    def directory_of(self, process: str) -> t.Tuple[str, bool]:
        """The release in whose directory a process works, and whether the directory was removed."""
        try:
            place = str(Path("/proc", process, "cwd").readlink())
        except OSError:
            return "", False
        kept = place[: -len(" (deleted)")] if place.endswith(" (deleted)") else place
        return self.release_at(kept), kept != place

    def release_at(self, place: str) -> str:
        """The release whose directory that is; empty for another one."""
        path = Path(place)
        return path.name if path.parent == (self.root / "releases").resolve() else ""

    def directories(self) -> t.Iterator[Built]:
        """The releases in their directory, every one of which is whole."""
        with contextlib.suppress(OSError):
            for path in sorted((self.root / "releases").iterdir()):
                if path.name.startswith(".") or not path.is_dir():
                    continue
                version = version_of(path.name)
                with contextlib.suppress(ValueError, AttributeError):
                    version = str(json.loads(text_of(path / ".release.json")).get("version") or version)
                yield Built(path.name, version, moment(path.stat().st_mtime))

    def containers(self, release: str) -> t.Iterator[Backend]:
        """The containers of each release, and what the stack would start where there are none."""
        said = self.output(
            *("docker", "ps", "--all", "--no-trunc"),
            *("--filter", "label=com.docker.compose.project=%s" % self.name),
            *("--filter", "label=com.docker.compose.service=backend"),
            *("--filter", "label=com.docker.compose.oneoff=False"),
            *("--format", '{{.Names}}\t{{.State}}\t{{.Image}}\t{{.Label "org.edusphere.release"}}\t{{.CreatedAt}}'),
        )
        # Not those that nginx is to know only later.
        fronted = set(re.findall(r"^\s*server (\S+):8000 resolve(?! down)", self.site, re.MULTILINE))
        found: t.Dict[str, Backend] = {}
        for line in (said or "").splitlines():
            name, state, image, label, created = (line.split("\t") + [""] * 5)[:5]
            own = label or (image.rpartition(":")[2] if image.startswith("%s/backend:" % self.name) else "")
            one = Backend(
                name=name,
                slot="",
                release=own,
                up=state in CONTAINER_UP,
                fronted=name in fronted,
                enabled=bool(self.site and release and own == release),
                since=created_moment(created),
            )
            before = found.get(own)
            # Of several, the one that serves speaks for them.
            if before is None or (one.up and one.fronted) > (before.up and before.fronted):
                found[own] = one
        yield from found.values()
        if release and self.site and said is not None and release not in found:
            since = link_time(self.root / "stack/.env")
            yield Backend("%s-backend" % self.name, "", release, False, not found, True, since)

    def images(self) -> t.Optional[t.Tuple[Built, ...]]:
        said = self.output(
            *("docker", "image", "ls", "--filter", "label=org.edusphere.site=%s" % self.name),
            *("--format", "{{.Repository}}\t{{.Tag}}\t{{.CreatedAt}}"),
        )
        if said is None:
            return None
        found = []
        for line in said.splitlines():
            repository, tag, created = (line.split("\t") + [""] * 3)[:3]
            if repository == "%s/backend" % self.name and tag != "<none>":
                found.append(Built(tag, version_of(tag), created_moment(created)))
        return tuple(found)


def created_moment(text: str) -> str:
    """``2026-11-29 22:02:11 +0000 UTC``, as docker says it, as records say it; other zones by their offset."""
    found = re.match(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) ([+-])(\d\d)(\d\d)", text)
    if not found:
        return ""
    offset = (60 * int(found[3]) + int(found[4])) * 60
    seconds = calendar.timegm(time.strptime(found[1], "%Y-%m-%d %H:%M:%S"))
    return moment(seconds - offset if found[2] == "+" else seconds + offset)


class Writer:
    """Writes what was read back; in check mode only says that it would."""

    def __init__(self, module: AnsibleModule, now: str) -> None:
        self.module = module
        self.directory = Path(module.params["directory"])
        self.now = now
        self.changed = False

    def write(self, name: str, found: Remembered, wanted: t.Any) -> None:
        path = self.directory / (name + ".fact")
        if found.value == wanted and not found.damage:
            return
        self.changed = True
        if self.module.check_mode:
            return
        if found.damage:
            path.rename(path.with_name("%s.damaged-%s" % (path.name, re.sub(r"[:-]", "", self.now))))
        if wanted is None:
            path.unlink(missing_ok=True)
            return
        self.directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        new = path.with_name(path.name + ".new")
        # As the roles write it.
        new.write_text(json.dumps(wanted, indent=4, sort_keys=True) + "\n", encoding="utf-8")
        new.chmod(0o644)
        new.replace(path)

    def link(self, path: Path, target: str) -> None:
        if not path.parent.is_dir() or (path.exists() and not path.is_symlink()):
            return  # Somebody's own file is not ours to replace.
        if path.is_symlink() and str(path.readlink()) == target:
            return
        self.changed = True
        if self.module.check_mode:
            return
        new = path.with_name(path.name + ".new")
        new.unlink(missing_ok=True)
        new.symlink_to(target)
        new.replace(path)


def run(module: AnsibleModule) -> t.Dict[str, t.Any]:
    """The module's result; ``refused`` where a run can't go on."""
    params = module.params
    directory, native, now = Path(params["directory"]), params["native"], moment(time.time())
    records = {name: read_record(directory, name, native) for name in NAMES}
    known = recall(records, Looker(module).host(), now, params["forget"])
    result: t.Dict[str, t.Any] = {
        "changed": False,
        "differences": known.differences,
        "stale": known.stale,
        "ansible_facts": {"ansible_local": known.facts},
    }
    if params["state"] == "read":
        return result
    if known.refusal:
        return {**result, "refused": known.refusal}
    writer = Writer(module, now)
    for name in NAMES:
        writer.write(name, records[name], known.facts.get(name))
    live = known.facts.get("live")
    if live and native:
        writer.link(Path(params["root"], "current"), str(Path(params["root"], "releases", live["release"])))
        writer.link(Path(params["environment"]), "slot-%s.env" % live["slot"])
    if writer.changed:
        for difference in known.differences:
            module.warn("%s. The records are put right." % difference)
    return {**result, "changed": writer.changed}


def main() -> None:
    os.umask(0o022)
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            "state": {"type": "str", "choices": ["read", "mended"], "required": True},
            "name": {"type": "str", "required": True},
            "native": {"type": "bool", "required": True},
            "root": {"type": "path", "required": True},
            "environment": {"type": "path", "required": True},
            "nginx_site": {"type": "path", "required": True},
            "closed_page": {"type": "path", "required": True},
            "forget": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except OSError as error:
        module.fail_json(msg="The records of the site can't be put right: %s" % error)
    if "refused" in result:
        module.fail_json(
            msg="%s. Stop it (%s), and run the same again: it is then a first installation beside the data. Nothing was"
            " changed." % (result.pop("refused"), way_out(module)),
            **{key: result[key] for key in ("differences", "stale")},
        )
    module.exit_json(**result)


def way_out(module: AnsibleModule) -> str:
    """The command that stops what serves."""
    if module.params["native"]:
        return "systemctl disable --now %s-backend@a %s-backend@b" % (module.params["name"], module.params["name"])
    return "docker compose rm --stop --force backend, in %s" % (Path(module.params["root"]) / "stack")


if __name__ == "__main__":
    main()
