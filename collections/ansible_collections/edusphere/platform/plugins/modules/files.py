#!/usr/bin/python
# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: allow-untyped-calls

from __future__ import annotations

DOCUMENTATION = r"""
module: files
short_description: Have several small files, directories and links as they are wanted, in one task
version_added: 0.1.0
author:
  - EduSphere platform contributors (!UNKNOWN)
description:
  - Does what M(ansible.builtin.template), M(ansible.builtin.copy) and M(ansible.builtin.file) do in a loop, with one
    execution on the host instead of two for each item.
  - Check mode knows what the earlier entries of the same task would have made, so a file in a directory that does not
    exist yet is foretold like any other.
notes:
  - Entries are dealt with in their order. Each file gets to its place by a rename, whole and with its owner and mode.
  - Contents appear in the difference. Give files with secrets a task of their own with C(no_log).
attributes:
  check_mode:
    description: Predicts what a run would do. An owner or a group that does not exist yet counts as a change.
    support: full
  diff_mode:
    description: Shows each file's content, and what else changes, before and after.
    support: full
options:
  entries:
    description:
      - What is wanted.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description:
          - Where it is, from the root directory.
        type: path
        required: true
      state:
        description:
          - A V(directory) is made with the ones above it, which belong to root and get the mode V(0755).
          - A V(link) to O(entries[].src) takes the place of another link, or of a file, by a rename.
          - With V(absent), a file, a link or a directory with all that is in it goes.
        type: str
        choices: [file, directory, link, absent]
        default: file
      src:
        description:
          - Where a link leads, as it is written into it. What is there need not exist. Required for a link.
        type: str
      content:
        description:
          - What the file holds. Required for a file.
        type: str
      owner:
        description:
          - Who owns it, instead of O(owner).
        type: str
      group:
        description:
          - Its group, instead of O(group).
        type: str
      mode:
        description:
          - Its permissions as an octal number in quotes, by default V(0644) for a file and V(0755) for a directory. A
            link has none, and belongs to whoever makes it.
        type: str
      validate:
        description:
          - A command that must succeed before the file gets to its place; C(%s) in it is the new file's path.
        type: str
      keep:
        description:
          - Where what the file held is kept when it changes, with its owner and mode, for a way back. What is there
            already is older, and stays. Only for a file, and not together with O(validate).
        type: path
  owner:
    description:
      - Who owns what entries do not give an owner.
    type: str
    default: root
  group:
    description:
      - The group of what entries do not give a group.
    type: str
    default: root
  validate:
    description:
      - A command and its arguments that must succeed once everything is in place, for what only shows then whether it
        is right. It is run where anything has changed, and not in check mode.
      - Where it fails, or an entry can't be dealt with, everything is put back as it was. So a directory that is to go
        must be empty.
    type: list
    elements: str
"""

EXAMPLES = r"""
- name: Configure the journal
  edusphere.platform.files:
    entries:
      - path: /etc/systemd/journald.conf.d
        state: directory
      - path: /etc/systemd/journald.conf.d/site.conf
        content: "{{ lookup('ansible.builtin.template', 'journald.conf.j2') }}"
      - path: /etc/systemd/journald.conf.d/old-site.conf
        state: absent

- name: Configure a server
  edusphere.platform.files:
    owner: shop
    group: shop
    entries:
      - path: /etc/shop/server.conf
        content: "{{ lookup('ansible.builtin.template', 'server.conf.j2') }}"
        mode: "0640"
        validate: shop-server --check %s

- name: Configure another server, which reads several files
  edusphere.platform.files:
    entries:
      - path: /etc/nginx/nginx.conf
        content: "{{ lookup('ansible.builtin.template', 'nginx.conf.j2') }}"
      - path: /etc/nginx/sites-enabled/shop.conf
        content: "{{ lookup('ansible.builtin.template', 'shop.conf.j2') }}"
    validate: [nginx, -t, -q]
"""

RETURN = r"""
changed_paths:
  description: The paths of the entries that were changed, in check mode would be, in their order.
  type: list
  elements: str
  returned: success
  sample: ["/etc/systemd/journald.conf.d/site.conf"]
"""

import contextlib
import grp
import os
import pwd
import re
import shlex
import shutil
import tempfile
import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

MODES = {"file": "0644", "directory": "0755"}


class Entry(t.NamedTuple):
    """One thing that is wanted, with the task's defaults filled in."""

    path: str
    state: str
    content: bytes
    src: str
    owner: str
    group: str
    mode: str
    validate: t.Optional[str]
    keep: t.Optional[str]


class Change(t.NamedTuple):
    """What was done about an entry, as ``--diff`` shows it."""

    before: str
    after: str


def wanted(parameters: t.Dict[str, t.Any]) -> t.List[Entry]:
    """Return the entries that the parameters describe; ValueError with everything that is wrong with them."""
    problems: t.List[str] = []
    entries: t.List[Entry] = []
    for given in parameters["entries"]:
        path, state = given["path"].rstrip("/"), given["state"]
        if not path.startswith("/"):
            problems.append("path: %r does not start at the root directory" % given["path"])
        if path in [entry.path for entry in entries]:
            problems.append("path: %s is there twice" % path)
        if (given["content"] is None) == (state == "file"):
            needs = "needs it" if state == "file" else "has none"
            problems.append("content: %s is to be a %s, which %s" % (path, state, needs))
        if (given["src"] is None) == (state == "link"):
            needs = "needs it" if state == "link" else "has none"
            problems.append("src: %s is to be a %s, which %s" % (path, state, needs))
        if given["mode"] and not re.fullmatch("[0-7]{3,4}", given["mode"]):
            problems.append("mode: %r of %s is not an octal number such as '0640'" % (given["mode"], path))
        if given["validate"] and "%s" not in given["validate"]:
            problems.append("validate: %r of %s lacks %%s, which stands for the file" % (given["validate"], path))
        if given["keep"] and (state != "file" or parameters["validate"]):
            problems.append("keep: %s is no file, or there is validate, which has a way back of its own" % path)
        entries.append(
            Entry(
                path=path,
                state=state,
                content=(given["content"] or "").encode("utf-8"),
                src=given["src"] or "",
                owner=given["owner"] or parameters["owner"],
                group=given["group"] or parameters["group"],
                mode=given["mode"] or MODES.get(state, ""),
                validate=given["validate"],
                keep=given["keep"],
            )
        )
    if problems:
        raise ValueError("; ".join(problems))
    return entries


def as_it_is(entry: Entry) -> Entry:
    """Return the entry by which what is there now would come back; OSError where none can do that."""
    path = Path(entry.path)
    if not os.path.lexists(path):
        return entry._replace(state="absent")
    if path.is_symlink():
        return entry._replace(state="link", src=str(path.readlink()))
    found = path.stat()
    there = entry._replace(
        owner=str(found.st_uid), group=str(found.st_gid), mode="%04o" % (found.st_mode & 0o7777), validate=None
    )
    if not path.is_dir():
        return there._replace(state="file", content=path.read_bytes())
    if entry.state == "absent" and any(path.iterdir()):
        raise OSError("validate: %s is not empty, and could not be put back" % path)
    return there._replace(state="directory")


class Files:
    """The files of the host, and in check mode what entries so far would have made of them."""

    def __init__(self, module: AnsibleModule) -> None:
        self._module = module
        self._removed: t.Set[Path] = set()

    def bring(self, entry: Entry) -> t.Optional[Change]:
        """Bring one entry to what is wanted; None where it is that already. OSError where it can't be done."""
        path = Path(entry.path)
        if entry.state == "absent":
            return self._remove(path)
        if entry.state == "directory":
            return self._make_directory(path, entry)
        if entry.state == "link":
            return self._link(path, entry)
        return self._write(path, entry)

    def put_back(self, was: t.List[Entry]) -> None:
        """Bring entries to what they were, as ``as_it_is`` has them, the last one first."""
        for entry in reversed(was):
            path = Path(entry.path)
            if entry.state == "absent" and path.is_dir() and not path.is_symlink():
                # Somebody else may have found a use for it.
                with contextlib.suppress(OSError):
                    path.rmdir()
            else:
                self.bring(entry)

    def check(self, command: t.List[str]) -> None:
        """Run the command that tells whether all of it is right; OSError where it says no."""
        # A script's variables are the script's.
        code, out, err = self._module.run_command(command, expand_user_and_vars=False)
        if code != 0:
            # Not a script in it, which would hide what it said.
            words = ["..." if "\n" in word else word for word in command]
            raise OSError("validate: `%s` rejects it:\n%s" % (" ".join(words), (out + err).strip()))

    def _exists(self, path: Path) -> bool:
        return os.path.lexists(path) and not self._removed.intersection([path, *path.parents])

    def _remove(self, path: Path) -> t.Optional[Change]:
        if not self._exists(path):
            return None
        if self._module.check_mode:
            self._removed.add(path)
        elif path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
        return Change("there\n", "not there\n")

    def _make_directory(self, path: Path, entry: Entry) -> t.Optional[Change]:
        if self._exists(path):
            if not path.is_dir():
                raise OSError("%s is there and is no directory" % path)
            # It may be a link to another disk.
            return self._adjust(path.resolve(), entry)
        if not self._module.check_mode:
            path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            # Nobody else's until it has its owner and mode.
            path.mkdir(0o700)
            self._adjust(path, entry)
        return Change("not there\n", "directory of %s:%s with mode %s\n" % (entry.owner, entry.group, entry.mode))

    def _write(self, path: Path, entry: Entry) -> t.Optional[Change]:
        before = b""
        if self._exists(path):
            if path.is_dir():
                raise OSError("%s is a directory, and is wanted as a file" % path)
            before = path.read_bytes() if path.exists() else b""
            # A link is replaced by the file, as its target may be somebody else's.
            if before == entry.content and not path.is_symlink():
                return self._adjust(path, entry)
        if not self._module.check_mode:
            if entry.keep and path.is_file():
                keep(path, Path(entry.keep))
            self._replace(path, entry)
        return Change(before.decode("utf-8", "replace"), entry.content.decode("utf-8", "replace"))

    def _link(self, path: Path, entry: Entry) -> t.Optional[Change]:
        before = "not there\n"
        if self._exists(path):
            if path.is_symlink():
                found = str(path.readlink())
                if found == entry.src:
                    return None
                before = "link to %s\n" % found
            elif path.is_dir():
                raise OSError("%s is a directory, and is wanted as a link" % path)
            else:
                before = "file\n"
        if not self._module.check_mode:
            new = path.with_name(".ansible_tmp_%s" % path.name)
            new.unlink(missing_ok=True)
            new.symlink_to(entry.src)
            new.replace(path)
        return Change(before, "link to %s\n" % entry.src)

    def _replace(self, path: Path, entry: Entry) -> None:
        descriptor, name = tempfile.mkstemp(prefix=".ansible_tmp", dir=str(path.parent))
        new = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(entry.content)
                stream.flush()
                os.fsync(stream.fileno())
            if entry.validate:
                self._validate(path, new, entry.validate)
            self._adjust(new, entry)
            new.replace(path)
        except BaseException:
            new.unlink()
            raise

    def _validate(self, path: Path, new: Path, command: str) -> None:
        words = [word.replace("%s", str(new)) for word in shlex.split(command)]
        code, out, err = self._module.run_command(words, expand_user_and_vars=False)
        if code != 0:
            raise OSError("validate: %s was left as it is: %s" % (path, (err or out).strip()))

    def _adjust(self, path: Path, entry: Entry) -> t.Optional[Change]:
        """Give ``path`` the owner, the group and the mode of ``entry``."""
        if self._module.check_mode and not (known(pwd.getpwnam, entry.owner) and known(grp.getgrnam, entry.group)):
            return Change("", "owner: %s\ngroup: %s\n" % (entry.owner, entry.group))
        difference: t.Dict[str, t.Dict[str, t.Any]] = {"before": {}, "after": {}}
        arguments = self._module.load_file_common_arguments(
            {"owner": entry.owner, "group": entry.group, "mode": entry.mode}, path=str(path)
        )
        if not self._module.set_fs_attributes_if_different(arguments, False, difference):
            return None
        return Change(lines(difference["before"]), lines(difference["after"]))


def keep(path: Path, place: Path) -> None:
    """Copy a file to where it is kept, whole and with its owner and mode; not where something is kept already."""
    if os.path.lexists(place):
        return
    descriptor, name = tempfile.mkstemp(prefix=".ansible_tmp", dir=str(place.parent))
    new = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(path.read_bytes())
            stream.flush()
            os.fsync(stream.fileno())
        found = path.stat()
        os.chown(new, found.st_uid, found.st_gid)
        new.chmod(found.st_mode & 0o7777)
        new.replace(place)
    except BaseException:
        new.unlink()
        raise


def known(look_up: t.Callable[[str], object], name: str) -> bool:
    """Tell whether there is an account or a group of that name; a number needs none."""
    try:
        look_up(name)
    except KeyError:
        return name.isdigit()
    return True


def lines(attributes: t.Dict[str, t.Any]) -> str:
    """Return a line for each attribute that Ansible's own functions reported."""
    return "".join("%s: %s\n" % item for item in sorted(attributes.items()) if item[0] != "path")


def main() -> None:
    # Directories above an entry get their modes whatever root's umask is.
    os.umask(0o022)
    module = AnsibleModule(
        argument_spec={
            "entries": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "path": {"type": "path", "required": True},
                    "state": {"type": "str", "choices": ["file", "directory", "link", "absent"], "default": "file"},
                    "src": {"type": "str"},
                    "content": {"type": "str"},
                    "owner": {"type": "str"},
                    "group": {"type": "str"},
                    "mode": {"type": "str"},
                    "validate": {"type": "str"},
                    "keep": {"type": "path"},
                },
            },
            "owner": {"type": "str", "default": "root"},
            "group": {"type": "str", "default": "root"},
            "validate": {"type": "list", "elements": "str"},
        },
        supports_check_mode=True,
    )
    try:
        entries = wanted(module.params)
    except ValueError as error:
        module.fail_json(msg=str(error))
    files = Files(module)
    changed: t.List[str] = []
    differences: t.List[t.Dict[str, str]] = []
    command = None if module.check_mode else module.params["validate"]
    was: t.List[Entry] = []
    try:
        for entry in entries:
            if command:
                was.append(as_it_is(entry))
            change = files.bring(entry)
            if change:
                changed.append(entry.path)
                header = {"before_header": entry.path, "after_header": entry.path}
                differences.append({**header, "before": change.before, "after": change.after})
        if command and changed:
            files.check(command)
    except OSError as error:
        if not command:
            module.fail_json(msg=str(error), changed=bool(changed), changed_paths=changed)
        files.put_back(was)
        module.fail_json(msg="%s\nEverything was put back as it was." % error, changed=False, changed_paths=[])
    results: t.Dict[str, t.Any] = {"changed": bool(changed), "changed_paths": changed}
    if module._diff:
        results["diff"] = differences
    module.exit_json(**results)


if __name__ == "__main__":
    main()
