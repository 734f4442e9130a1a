#!/usr/bin/python
# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: allow-untyped-calls

from __future__ import annotations

DOCUMENTATION = r"""
module: deployment
short_description: Keep two operators from deploying at once, and a record of what was deployed
version_added: 0.1.0
author:
  - EduSphere platform contributors (!UNKNOWN)
description:
  - One run at a time holds the lock of a site. It lies on one of the site's hosts, and says who has it, for what, since
    when and from where.
  - A run is one C(ansible-playbook) process. Where the lock's holder was started on the same control node, it is known
    whether that process still runs; the lock of one that doesn't is taken over. Of another control node it is not
    known, so its lock holds until its O(lease) is over or an operator breaks it.
  - Every run that deployed something leaves a line in C(history.jsonl), also one that did not come to its end; that
    line is written by the run that takes its lock over.
notes:
  - A lock is no change of the site, and neither is a line about one, so the module never reports a change.
attributes:
  check_mode:
    description: Refuses where another run holds the lock, and writes nothing.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
options:
  directory:
    description: The directory on the host with the lock and the history. It is made where it is missing.
    type: path
    required: true
  state:
    description:
      - V(begun) takes the lock, or says again that its holder is at work.
      - V(ended) gives the lock back, and records O(outcome).
      - V(read) only tells.
    type: str
    choices: [begun, ended, read]
    required: true
  what:
    description: What the run does, such as V(deploy).
    type: str
    default: ''
  version:
    description: To which version.
    type: str
    default: ''
  outcome:
    description:
      - How it ended, such as V(done), V(failed), or V(refused) before anything was switched.
      - V(unchanged) leaves no line.
    type: str
    default: unchanged
  outcome_of_changes:
    description:
      - What takes the place of O(outcome=unchanged) where a task of this run has changed something, by the callback
        C(edusphere.platform.run_changes).
    type: str
    default: unchanged
  break_lock:
    description: The short name of a lock that is to be broken, as the refusal tells it.
    type: str
    default: ''
  lease:
    description: Minutes after which a lock of another control node counts as left behind, unless it was renewed.
    type: int
    default: 120
  lines:
    description: How many lines of the history to return, the newest.
    type: int
    default: 5
  run:
    description: For the action plugin alone. Who runs this, and of which runs it is known that they have ended.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Keep others out
  edusphere.platform.deployment:
    directory: /srv/edusphere/records
    state: begun
    what: deploy
    version: v2

- name: Let others in
  edusphere.platform.deployment:
    directory: /srv/edusphere/records
    state: ended
    outcome: done
"""

RETURN = r"""
lock:
  description: The lock that another run holds, or of O(state=read) any; empty without one.
  returned: always
  type: dict
  sample:
    id: 1f0c6b4e
    who: ada@build
    what: deploy
    version: v2
    since: 1764090000.5
    renewed: 1764090060.1
    alive: true
history:
  description: The last lines, the oldest first.
  returned: success
  type: list
  elements: dict
  sample:
    - {who: ada@build, what: deploy, version: v2, since: 1764090000.5, seconds: 81.2, outcome: done}
"""

import fcntl
import json
import os
import time
import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

# What a line of the history says of the run.
KEPT = ("who", "what", "version", "since")


def set_aside(path: Path) -> None:
    """Rename a directory that somebody has made in the place of a file."""
    if path.is_dir() and not path.is_symlink():
        path.rename(path.with_name("%s.damaged-%d" % (path.name, time.time())))


class Records:
    """The lock and the history of one site. Only one process at a time has them open."""

    def __init__(self, directory: Path, writes: bool) -> None:
        self.lock_path = directory / "lock.json"
        self.history_path = directory / "history.jsonl"
        self.guard: t.Optional[t.IO[str]] = None
        if writes:
            directory.mkdir(mode=0o755, parents=True, exist_ok=True)
            set_aside(directory / "lock")
            self.guard = (directory / "lock").open("w", encoding="utf-8")
            fcntl.flock(self.guard, fcntl.LOCK_EX)

    def lock(self) -> t.Dict[str, t.Any]:
        """Who holds the lock; empty when nobody does, or when what is there can't be read."""
        try:
            lock = json.loads(self.lock_path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        if not isinstance(lock, dict) or not all(isinstance(lock.get(key), str) for key in ("id", "who")):
            return {}
        if not all(isinstance(lock.get(key), (int, float)) for key in ("since", "renewed")):
            return {}
        # Where its run was started is what the control node knows it by.
        place = lock.get("place")
        known = isinstance(place, dict) and isinstance(place.get("pid"), int)
        return {"what": "", "version": "", **lock, "place": place if known else {}}

    def take(self, lock: t.Mapping[str, t.Any]) -> None:
        set_aside(self.lock_path)
        new = self.lock_path.with_name("lock.json.new")
        new.write_text(json.dumps(lock) + "\n", encoding="utf-8")
        new.replace(self.lock_path)

    def free(self) -> None:
        set_aside(self.lock_path)
        self.lock_path.unlink(missing_ok=True)

    def add(self, lock: t.Mapping[str, t.Any], until: float, outcome: str) -> None:
        """A line about the run that held the lock."""
        line = {**{key: lock.get(key, "") for key in KEPT}, "seconds": round(until - lock["since"], 1)}
        set_aside(self.history_path)
        torn = self.history_path.exists() and not self.history_path.read_bytes().endswith(b"\n")
        with self.history_path.open("a", encoding="utf-8") as history:
            # After a line that was cut off, a line of its own.
            history.write("\n" if torn and self.history_path.stat().st_size else "")
            history.write(json.dumps({**line, "outcome": outcome}) + "\n")
            history.flush()
            os.fsync(history.fileno())

    def history(self, lines: int) -> t.List[t.Dict[str, t.Any]]:
        found = []
        if self.history_path.is_file():
            for line in self.history_path.read_text(encoding="utf-8", errors="replace").splitlines():
                try:
                    read = json.loads(line)
                except ValueError:
                    continue  # The machine lost its power while it was written.
                if isinstance(read, dict) and all(
                    isinstance(read.get(key), (int, float)) for key in ("since", "seconds")
                ):
                    found.append({**dict.fromkeys((*KEPT, "outcome"), ""), **read})
        return found[-lines:]


def refusal(lock: t.Mapping[str, t.Any], now: float) -> str:
    """Why a run must wait, for an operator."""
    since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(lock["since"]))
    state = "" if lock.get("alive") else "; it was last heard of %d minutes ago" % ((now - lock["renewed"]) // 60)
    return (
        "%s is at work on this site (%s), since %s%s. Nothing was changed. Wait until it has ended. If you know that it"
        " does not run any more, take its lock away: -e edusphere_lock_break=%s"
        % (lock["who"], " ".join(filter(None, (lock["what"], lock["version"]))), since, state, lock["id"])
    )


def run(module: AnsibleModule) -> t.Dict[str, t.Any]:
    """Do what the parameters say; the module's result, or one with ``refused``."""
    params, now = module.params, time.time()
    mine: t.Dict[str, t.Any] = params["run"]
    records = Records(Path(params["directory"]), params["state"] != "read" and not module.check_mode)
    lock = records.lock()
    other = bool(lock) and lock["id"] != mine.get("id")
    if other:
        lock["alive"] = lock["id"] in mine.get("alive", ())
    if params["state"] == "begun":
        over = other and (
            lock["id"] in mine.get("ended", ())
            or lock["id"] == params["break_lock"]
            or (not lock["alive"] and now - lock["renewed"] > 60 * params["lease"])
        )
        if other and not over:
            return {"lock": lock, "refused": refusal(lock, now)}
        if not module.check_mode:
            if over:
                records.add(lock, lock["renewed"], "did not end")
            since = now if other or not lock else lock["since"]
            # Who says again that it is at work may leave out at what.
            own = {key: params[key] or ("" if other else lock.get(key, "")) for key in ("what", "version")}
            records.take(
                {**own, "id": mine["id"], "who": mine["who"], "place": mine["place"], "since": since, "renewed": now}
            )
    elif params["state"] == "ended" and lock and not other and not module.check_mode:
        if params["outcome"] != "unchanged":
            records.add({**lock, "version": params["version"] or lock["version"]}, now, params["outcome"])
        records.free()
    shown = lock if params["state"] == "read" else {}
    return {"lock": shown, "history": records.history(params["lines"])}


def main() -> None:
    # The site's root may be made here, through which nginx reaches what it serves, whatever root's umask is.
    os.umask(0o022)
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            "state": {"type": "str", "choices": ["begun", "ended", "read"], "required": True},
            "what": {"type": "str", "default": ""},
            "version": {"type": "str", "default": ""},
            "outcome": {"type": "str", "default": "unchanged"},
            "outcome_of_changes": {"type": "str", "default": "unchanged"},
            "break_lock": {"type": "str", "default": ""},
            "lease": {"type": "int", "default": 120},
            "lines": {"type": "int", "default": 5},
            "run": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    result = run(module)
    if "refused" in result:
        module.fail_json(msg=result.pop("refused"), **result)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
