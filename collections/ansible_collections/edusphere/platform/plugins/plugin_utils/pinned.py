# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs of PyPI that root installs: each version by the hashes of its files."""

from __future__ import annotations

import re
from collections.abc import Mapping


def requirements(hashes: Mapping[str, str], package: str, version: str, setting: str) -> str:
    """The requirements that pin ``package`` in ``version`` and what it needs, as pip and uv read them.

    ``hashes`` has them by version, as ``uv pip compile --generate-hashes`` prints them, and ``setting`` is its name.
    ValueError where there are none for the version, or not of it, or one of its packages has no hash.
    """
    wanted = f"{package}=={version}"
    found = hashes.get(version, "")
    pinned = re.sub(r"\\\n", " ", re.sub(r"(?m)^\s*#.*$", "", found)).splitlines()
    packages = [line.split() for line in pinned if line.strip()]
    if any(words[0] == wanted for words in packages) and all(
        len(words) > 1 and all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", word) for word in words[1:])
        for words in packages
    ):
        return found.strip()
    raise ValueError(
        f"{setting}: has no hashes of {wanted}, which root would install; add what this prints, by its version: "
        f"echo {wanted} | uv pip compile --universal --generate-hashes --no-header --no-annotate -"
    )
