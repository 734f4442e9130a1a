# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets among the arguments of modules: kept out of logs and output, while the rest stays readable."""

from __future__ import annotations

import re
import typing as t
import urllib.parse

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

# User and password in a URL, up to the last @ before its path.
USERINFO = re.compile(r"(?<=://)[^\s/?#]*(?=@)")
# A user without a password is a token at many forges and registries.
TOKEN = re.compile(r"(?i)(?<=http://|ttps://)[^\s/?#:]+(?=@)")
# Variables whose names say that their values are secret.
SECRET_NAME = re.compile(
    r"SECRET|PASSWORD|PASSWD|PASSPHRASE|TOKEN|CREDENTIAL|PASS(_|$)|_PWD(_|$)|(^|_)_?AUTH(_|$)|(^|_)(API|PRIVATE|ACCESS)?KEYS?(_|$)",
    re.IGNORECASE,
)
# Shorter values can't be told from ordinary text.
SHORTEST = 4


def url_secrets(text: str) -> t.Set[str]:
    """The passwords of all URLs in a text, and users without one, as they stand there and decoded."""
    found: t.Set[str] = set()
    for userinfo in USERINFO.findall(text):
        password = userinfo.partition(":")[2]
        found |= {password, urllib.parse.unquote(password)}
    return {secret for secret in found.union(TOKEN.findall(text)) if len(secret) >= SHORTEST}


def secrets_of(environment: t.Mapping[str, str]) -> t.Set[str]:
    """The secrets in an environment: values of variables that are called so, and passwords in URLs."""
    found = {value for name, value in environment.items() if SECRET_NAME.search(name) and len(value) >= SHORTEST}
    return found.union(*(url_secrets(value) for value in environment.values()))


def has_secret(name: str, value: str) -> bool:
    """Whether a variable is called like a secret, or has a URL with a password."""
    return bool(SECRET_NAME.search(name) or USERINFO.search(value))


def without_userinfo(url: str) -> str:
    """The URL without user and password, for a message."""
    return USERINFO.sub("", url).replace("://@", "://")


def hide(module: AnsibleModule, secrets: t.Iterable[str]) -> None:
    """Mask these secrets, and no more, in what the module returns.

    Options with ``no_log`` are in no log. But of a dictionary Ansible would mask every value, and ``1`` or ``/usr/bin``
    in a tool's words, too.
    """
    module.no_log_values = set(secrets)
