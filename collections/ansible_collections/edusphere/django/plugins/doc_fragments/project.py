# Copyright: (c) 2026, EduSphere maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """The parameters that describe a Django project."""

    DOCUMENTATION = r"""
options:
  project_dir:
    description:
      - Directory of the project on the host, that of its C(manage.py). It is the working directory and first on the
        Python path, as for C(manage.py) itself.
      - The parameters are checked in the state that the host is in. In check mode, what does not exist yet (this
        directory, O(python), O(environment_file), O(user), O(group), a database that does not answer) makes the result
        unknown instead of an error, see RV(ignore:unknown).
    type: path
    required: true
  python:
    description:
      - The project's own interpreter, usually that of its virtual environment.
      - A relative path starts at O(project_dir); a bare name is looked up on the C(PATH).
    type: path
    required: true
  settings:
    description:
      - The settings module. Required unless C(DJANGO_SETTINGS_MODULE) comes with the environment.
    type: str
  pythonpath:
    description:
      - Directories to search for Python modules after O(project_dir) and before those that C(PYTHONPATH) names already.
    type: list
    elements: path
    default: []
  environment:
    description:
      - Environment variables for the project, in addition to those of the module. They win over O(environment_file).
      - Every value must be a string, and gets to the project byte for byte. Values never appear on a command line or
        in a result; in the texts of errors they are masked, save those whose name tells that they are public (such as
        C(DB_HOST)) and those of fewer than four characters.
    type: dict
    default: {}
  environment_file:
    description:
      - File on the host with environment variables, read as systemd's C(EnvironmentFile=) reads it, but a line that
        systemd would skip with a warning is an error here.
      - It is read by the module, not by O(user).
    type: path
  user:
    description:
      - Account to run the project as, if not that of the module. Takes root.
    type: str
  group:
    description:
      - Group to run the project with; by default the main group of O(user).
    type: str
  umask:
    description:
      - Umask to run the project with, in octal, such as V('0027'); by default that of the module.
    type: str
  timeout:
    description:
      - Seconds after which the project is stopped and the task fails; without it there is no limit.
      - A statement that the database is busy with at that moment may still run to its end there.
    type: int
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: full
notes:
  - Nothing needs installing into the project. The module sends a small program to the project's interpreter over
    standard input. It may print what it likes.
  - A Django that can't be loaded fails the task with the type and the text of its own exception.
requirements:
  - Python 3.9 or later on the host, for the module
  - Django 4.2 or later, on Python 3.9 or later, in the project
"""
