# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the name of an image of PostgreSQL says."""

from __future__ import annotations

import re

# The first major version whose image has its volume one directory higher, and the oldest that images are known of.
HIGHER, OLDEST = 18, 10


def major(image: str) -> int | None:
    """The major version of PostgreSQL in ``image``, by its tag; None where that says none.

    postgres:16.4-alpine and postgis/postgis:16-3.4 begin with it, pgvector/pgvector:0.8.0-pg17 has it after "pg".
    """
    name = image.partition("@")[0].rpartition("/")[2]
    tag = name.partition(":")[2]
    found = re.search(r"(?:^|[^a-z0-9])pg([0-9]{2})(?![0-9])", tag) or re.match(r"([0-9]{2})(?![0-9])", tag)
    return int(found[1]) if found and int(found[1]) >= OLDEST else None


def volume(image: str) -> str:
    """The directory in a container of ``image`` that is a volume; ValueError where the version is unknown."""
    version = major(image)
    if version is None:
        raise ValueError(
            f"{image!r} does not say which PostgreSQL it has, on which the place of its data depends; "
            "give a tag that begins with the major version, such as postgres:16 or postgres:16@sha256:…"
        )
    return "/var/lib/postgresql" if version >= HIGHER else "/var/lib/postgresql/data"
