# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a build may know of an application's environment."""

from __future__ import annotations

import json
import random
import re
import string
import typing as t
import urllib.parse

from ansible.errors import AnsibleFilterError
from ansible_collections.edusphere.platform.plugins.module_utils.secrecy import SECRET_NAME, USERINFO, has_secret

DOCUMENTATION = r"""
name: build_environment
short_description: Replace the secrets of an environment for a build
version_added: 0.1.0
author:
  - EduSphere platform contributors (!UNKNOWN)
description:
  - Returns the environment with throw-away values in the place of secrets, which look like them, so that settings that
    parse them can be imported. Letters become other letters, digits other digits (hexadecimal ones stay hexadecimal),
    and the rest stays. Of JSON the keys stay. A URL keeps its scheme and its port, and leads to C(build.invalid), which
    is no host.
  - Values of other variables stay, but for the passwords of URLs, and for variables whose names say that they are
    secret.
  - A value that has to be real, or can't be parsed when it is made up (a private key), must be allowed by its name.
options:
  _input:
    description: The environment.
    type: dict
    required: true
  secrets:
    description: The names of the variables that are secret.
    type: list
    elements: str
    required: true
  allowed:
    description: The names of those that a build may read.
    type: list
    elements: str
    required: true
positional: secrets, allowed
"""

EXAMPLES = r"""
- name: Collect static files
  edusphere.platform.build_command:
    argv: [python, manage.py, collectstatic, --noinput]
    chdir: /srv/shop/releases/.building
    environment: "{{ shop_environment | edusphere.platform.build_environment(['SECRET_KEY'], []) }}"
    confinement: "{{ shop_confinement }}"
"""

RETURN = r"""
_value:
  description: The environment for a build.
  type: dict
"""

NOWHERE = "build.invalid"
URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(\S*)")
# Between lines such as -----BEGIN PRIVATE KEY-----.
ARMOUR = re.compile(r"-----(?:BEGIN|END) [A-Z ]+-----")
# What is no secret wherever it stands.
WORDS = ("", "true", "false", "yes", "no", "on", "off", "none", "null")
# Of no value to anybody who knows them: they are for one build.
CHOICE = random.SystemRandom()


def throw_away(value: str) -> str:
    """A value that looks like ``value`` and tells nothing of it but its shape."""
    if value.strip().lower() in WORDS:
        return value
    if URL.fullmatch(value.strip()):
        try:
            return _url(value.strip())
        except ValueError:
            # Brackets at a wrong place, say.
            return _characters(value, "")
    if value.strip()[:1] in ("{", "["):
        try:
            return json.dumps(_json(json.loads(value)))
        except ValueError:
            pass
    digits = "0123456789abcdef" if re.fullmatch("(?=.*[a-f])[0-9a-f-]{8,}", value) else ""
    parts, end = [], 0
    for line in ARMOUR.finditer(value):
        parts += [_characters(value[end : line.start()], digits), line[0]]
        end = line.end()
    return "".join([*parts, _characters(value[end:], digits)])


def _characters(text: str, alphabet: str) -> str:
    def other(character: str) -> str:
        if alphabet and character in alphabet:
            return CHOICE.choice(alphabet)
        for kind in (string.ascii_lowercase, string.ascii_uppercase, string.digits):
            if character in kind:
                # Nothing that could be an escape sequence or a leading zero follows from that.
                return CHOICE.choice(kind.replace("0", ""))
        return character if character.isascii() else "x"

    return "".join(map(other, text))


def _url(value: str) -> str:
    parts = urllib.parse.urlsplit(value)
    userinfo, at, host = parts.netloc.rpartition("@")
    port = re.search(r":\d+$", host)
    login = ":".join(_characters(part, "") for part in re.sub("%[0-9A-Fa-f]{2}", "x", userinfo).split(":"))
    # sqlite:///path and the like have no host.
    place = NOWHERE + (port[0] if port else "") if host else ""
    query = urllib.parse.parse_qsl(parts.query, keep_blank_values=True)
    told = [(name, _characters(text, "") if SECRET_NAME.search(name) else text) for name, text in query]
    path = re.sub("%[0-9A-Fa-f]{2}", "x", parts.path)
    # redis://host/0: a number of a database is one that must be there.
    path = path if re.fullmatch(r"/?\d{0,2}", path) else _characters(path, "")
    return parts.scheme + "://" + login + at + place + path + ("?" if told else "") + urllib.parse.urlencode(told)


def _json(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {name: _json(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_json(inner) for inner in value]
    return throw_away(value) if isinstance(value, str) else value


def build_environment(
    environment: t.Mapping[str, str], secrets: t.Iterable[str], allowed: t.Iterable[str]
) -> t.Dict[str, str]:
    """The environment for a build; see DOCUMENTATION. AnsibleFilterError for allowed names that are not there."""
    secret, real = set(secrets), set(allowed)
    unknown = sorted(real - set(environment))
    if unknown:
        raise AnsibleFilterError(
            "release_build_secrets: there is no %s in the application's environment" % ", ".join(unknown)
        )
    found = {}
    for name, value in environment.items():
        if name in real or not (name in secret or has_secret(name, value)):
            found[name] = value
        elif name in secret or not USERINFO.search(value):
            found[name] = throw_away(value)
        else:
            found[name] = USERINFO.sub("build", value)
    return found


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> t.Dict[str, t.Callable[..., t.Dict[str, str]]]:
        return {"build_environment": build_environment}
