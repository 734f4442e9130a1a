# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Environment files that systemd and Docker Compose read alike."""

from __future__ import annotations

import re
import typing as t

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: env_file
short_description: Write an environment file for systemd and Docker Compose
version_added: 0.1.0
author:
  - EduSphere platform contributors (!UNKNOWN)
description:
  - Turns a dictionary into the text of an environment file that systemd (C(EnvironmentFile=)) and Docker Compose 2.26
    (C(env_file)) both read back byte for byte.
  - Each line is C(KEY="value"), where only a backslash, a double quote and a dollar sign are escaped. Escaping a
    backtick, which systemd would allow, leaves a backslash in Compose's value. Keys are sorted.
  - Booleans become V(True) and V(False), which is how Python and Ansible's own templates write them. Numbers are
    written in decimal. To write anything else, give the text.
  - Refused are a value that is null, a list or a dictionary, and text with a NUL or a newline, or that is not
    Unicode. The message names the key and never the value.
options:
  _input:
    description: The variables. A key is letters, digits and underscores, and does not begin with a digit.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Write the application's environment
  ansible.builtin.copy:
    content: "{{ {'DB_PASSWORD': edusphere_database_password, 'DB_PORT': 5432} | edusphere.platform.env_file }}"
    dest: /etc/edusphere/app.env
    owner: root
    group: edusphere
    mode: "0640"
  no_log: true
"""

RETURN = r"""
_value:
  description: The text of the file. It is empty for an empty dictionary and ends in a newline otherwise.
  type: str
"""

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

# What both readers unescape inside double quotes, and no more.
ESCAPED = re.compile(r'[\\"$]')

# No environment can hold a NUL. systemd and Compose 2.26 would read a newline back, but a secret with one comes from a
# slip of the editor, and tools that take one line for one variable (docker run --env-file) would make two of it. Both
# keep a carriage return.
REFUSED = {"\0": "a NUL character", "\n": "a newline"}


def env_file(variables: t.Mapping[str, object]) -> str:
    """The text of an environment file with ``variables``; see DOCUMENTATION for the rules.

    Raises :class:`AnsibleFilterError`, naming every key that is wrong, and no value.
    """
    if not isinstance(variables, t.Mapping):
        raise AnsibleFilterError("env_file needs a dictionary, not %s" % type(variables).__name__)
    lines, problems = [], []
    for key in sorted(variables, key=str):
        try:
            lines.append('%s="%s"\n' % (_name(key), ESCAPED.sub(r"\\\g<0>", _text(variables[key]))))
        except ValueError as problem:
            problems.append("%s %s" % (key, problem))
    if problems:
        raise AnsibleFilterError("the environment cannot be written: " + "; ".join(problems))
    return "".join(lines)


def _name(key: object) -> str:
    if not isinstance(key, str) or not NAME.fullmatch(key):
        raise ValueError("is not a variable's name (letters, digits and underscores, no digit first)")
    return key


def _text(value: object) -> str:
    if isinstance(value, (bool, int, float)):
        return str(value)
    if not isinstance(value, str):
        kind = "null" if value is None else "a list or a dictionary"
        raise ValueError("must be text, a number or a boolean, not %s" % kind)
    for character, name in REFUSED.items():
        if character in value:
            raise ValueError("contains %s, which an environment file cannot hold" % name)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("is not valid Unicode") from None  # The original error quotes the value.
    return value


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> t.Dict[str, t.Callable[..., str]]:
        return {"env_file": env_file}
