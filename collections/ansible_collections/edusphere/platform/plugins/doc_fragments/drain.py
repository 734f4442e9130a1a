# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  drain_time:
    description:
      - How many seconds the connections of what is stopped may take to end. Its workers are ended one after the other,
        spread over this time, each as soon as it has none; so those who are cut off don't all come back in one moment.
      - For a server with a main process that passes its listening socket on to workers, as uvicorn and gunicorn do. One
        of a single process is only waited for.
    type: float
    default: 0
  drain_proxy:
    description:
      - The nginx before what is stopped, a unit or a service of the project. Before anything is drained, it has to
        serve by its O(drain_proxy_files); when it doesn't within 60 seconds, the task fails and nothing is stopped.
    type: str
  drain_proxy_files:
    description:
      - The absolute paths of the files that tell nginx where to pass requests.
    type: list
    elements: path
    default: []
"""
