# Copyright: EduSphere Platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where a web server finds the files of a path, and which part of their paths it need not trust."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

DOCUMENTATION = r"""
name: served_places
short_description: Where a web server finds the files of paths
version_added: "0.1.0"
author: EduSphere Platform (@edusphere)
description:
  - Says for each path of a site where its files are, so that no link has to be followed to them. What lies in a
    directory that releases share is served from there, and not through the release's link to it.
  - A shared directory below a directory of the release is a place of its own.
positional: release, shared, shared_path
options:
  _input:
    description: The paths, each with C(path), of the site, and C(directory), in the release.
    type: list
    elements: dict
    required: true
  release:
    description: Where the release is.
    type: str
    required: true
  shared:
    description: The directories that releases share, as the release has them.
    type: list
    elements: str
    required: true
  shared_path:
    description: Where those are.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show where uploads are
  ansible.builtin.debug:
    msg: "{{ uploads | edusphere.platform.served_places('/srv/site/releases/v1', ['media'], '/srv/site/shared') }}"
  vars:
    uploads: [{path: /media/, directory: media}]
"""

RETURN = r"""
_value:
  description:
    - The places, each with C(path), C(files), where its files are, and C(within), the part of C(files) that nobody but
      the deployment can change. Below it, no link is to be followed.
  type: list
  elements: dict
"""


def served_places(
    places: Iterable[Mapping[str, str]], release: str, shared: Iterable[str], shared_path: str
) -> list[dict[str, str]]:
    """Say where the files of I(places) are.

    A directory in a shared one, or one itself: in the shared one. Any other: in the release, which is no link itself,
    and each shared directory below it is a place too.
    """
    releases = str(PurePosixPath(release).parent)
    directories = [PurePosixPath(directory) for directory in shared]
    found = []
    for place in places:
        directory = PurePosixPath(place["directory"])
        around = next((each for each in directories if directory.is_relative_to(each)), None)
        if around is not None:
            found.append(_place(place["path"], f"{shared_path}/{directory}", f"{shared_path}/{around}"))
            continue
        found.append(_place(place["path"], f"{release}/{directory}", releases))
        for below in (each for each in directories if each.is_relative_to(directory)):
            path = f"{place['path'].rstrip('/')}/{below.relative_to(directory)}/"
            found.append(_place(path, f"{shared_path}/{below}", f"{shared_path}/{below}"))
    return found


def _place(path: str, files: str, within: str) -> dict[str, str]:
    return {"path": path, "files": files, "within": within}


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Name to function."""
        return {"served_places": served_places}
