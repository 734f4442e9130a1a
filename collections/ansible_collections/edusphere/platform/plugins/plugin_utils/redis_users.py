# Copyright: EduSphere Platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The passwords that a Redis takes of its default user: its ACL file, and what a running server lacks of it.

https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/
"""

from __future__ import annotations

import hashlib
import re

HASH = re.compile(r"(?<!\S)#([0-9a-f]{64})(?!\S)")
# Redis 6.0 knows no rights on channels: there, everybody has all of them.
RIGHTS = {True: "~* &* +@all", False: "~* +@all"}


def hashes(text: str) -> list[str]:
    """The hashes of passwords in an ACL file, or in what ``ACL LIST`` answers; in their order, each once."""
    return list(dict.fromkeys(HASH.findall(text)))


def users(password: str, there: str, only: bool, channels: bool) -> str:
    """The ACL file by which Redis takes ``password``, and those of the file ``there`` as well, unless it is ``only``.

    ``channels`` says whether the server knows rights on channels.
    """
    wanted = hashlib.sha256(password.encode()).hexdigest()
    others = [] if only else [known for known in hashes(there) if known != wanted]
    passwords = " ".join(f"#{known}" for known in [wanted, *others])
    return f"user default on {RIGHTS[channels]} {passwords}\n"


def needed(answer: str, file: str) -> str:
    """What a server needs to take the passwords of an ACL ``file``, by its ``answer`` to ``ACL LIST``.

    ``none``, ``load``, or ``restart`` where the answer is no list: the login was refused, so nobody can have it load.
    """
    loaded = hashes(answer)
    if not loaded:
        return "restart"
    return "none" if sorted(loaded) == sorted(hashes(file)) else "load"
