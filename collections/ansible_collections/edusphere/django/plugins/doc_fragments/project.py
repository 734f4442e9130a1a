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
      - Directory of the project, that of its C(manage.py). It is the working directory and first on the Python path, as
        for C(manage.py) itself.
      - With O(container), O(image) or O(compose_service), the absolute path of that directory in the container.
      - The parameters are checked in the state that the host is in. In check mode, what does not exist yet (this
        directory, O(python), O(environment_file), O(user), O(group), a container, image, network or volume, a Compose
        file or its service, the Docker engine, a database that does not answer) makes the result unknown instead of an
        error, see RV(ignore:unknown).
    type: path
    required: true
  python:
    description:
      - The project's own interpreter, usually that of its virtual environment.
      - A relative path starts at O(project_dir); a bare name is looked up on the C(PATH), that of the container if the
        project is in one.
    type: path
    required: true
  settings:
    description:
      - The settings module. Required unless C(DJANGO_SETTINGS_MODULE) comes with the environment.
    type: str
  pythonpath:
    description:
      - Directories to search for Python modules after O(project_dir) and before those that C(PYTHONPATH) names already.
        They are where the project is, on the host or in the container.
    type: list
    elements: path
    default: []
  environment:
    description:
      - Environment variables for the project, in addition to those of the module, or of the container that the project
        is in. They win over O(environment_file), and that over what is there already.
      - Every value must be a string, and gets to the project byte for byte. Values never appear on a command line or
        in a result; in the texts of errors they are masked, save those whose name tells that they are public (such as
        C(DB_HOST)).
      - Of all other variables that the project has, from the task's C(environment), the module's own, a container's or
        a file that its settings read, those are masked whose name tells that they are secret, by C(SECRET),
        C(PASSWORD), C(PASSWD), C(PASSPHRASE), C(TOKEN) or C(CREDENTIAL) in it, or C(PASS), C(PWD) or C(KEY) as a word.
      - So are the passwords in the URLs of all variables, as they stand there and percent-decoded.
      - Values of fewer than four characters are never masked, as they are parts of ordinary words, nor are V(true),
        V(false), V(none) and V(null).
    type: dict
    default: {}
  environment_file:
    description:
      - File on the host with environment variables, read as systemd's C(EnvironmentFile=) reads it, but a line that
        systemd would skip with a warning is an error here.
      - It is read by the module, not by O(user), and on the host also for a project in a container.
    type: path
  user:
    description:
      - Account to run the project as, if not that of the module. Takes root.
      - With O(container), O(image) or O(compose_service), an account or a number of the container, if not the one that
        it runs as by itself. Takes only the right to use the engine.
    type: str
  group:
    description:
      - Group to run the project with; by default the main group of O(user). For a project in a container, only together
        with O(user).
    type: str
  umask:
    description:
      - Umask to run the project with, in octal, such as V('0027'); by default that of the module, or of the container.
    type: str
  timeout:
    description:
      - Seconds after which the project, with all that it started, is stopped and the task fails; without it there is no
        limit.
      - A statement that the database is busy with at that moment may still run to its end there.
    type: int
  container:
    description:
      - Name or id of a running container that the project is in. The program runs in it beside its own.
      - Without this, O(image) and O(compose_service), of which only one can be given, the project is on the host.
    type: str
  image:
    description:
      - Image that the project is in. Each run gets a new container of it, which is removed afterwards. So a release can
        be migrated to before any container of it is up.
      - The image must be on the host; it is never pulled. Its entrypoint is not run. What the project writes elsewhere
        than in O(volumes) is gone afterwards.
    type: str
  network:
    description:
      - Network for the container of O(image), which must exist.
    type: str
  volumes:
    description:
      - Volumes for the container of O(image), as C(SOURCE:TARGET) or C(SOURCE:TARGET:OPTIONS). The source is a volume's
        name or an absolute path on the host, which must exist.
    type: list
    elements: str
    default: []
  compose_service:
    description:
      - Service of a Compose project that the project is in. Each run gets a new container of it, with the networks,
        volumes, secrets and environment of the service, which is removed afterwards.
      - The service's image must be on the host; it is neither pulled nor built. Its entrypoint and health check are not
        run, its ports not published, and the services that it depends on not started.
      - Networks and volumes that are there stay as they are. Those of the service that are missing are made by Compose,
        as always; in check mode they make the result unknown.
    type: str
  compose_project_dir:
    description:
      - Directory of the Compose project on the host. Required with O(compose_service).
      - Variables in its files come from its C(.env) and from the module's own environment, not from O(environment).
    type: path
  compose_files:
    description:
      - Compose files, relative to O(compose_project_dir); by default those that Compose finds there by itself.
    type: list
    elements: path
    default: []
  compose_project_name:
    description:
      - Name of the Compose project, if not the one that Compose gives it by itself.
    type: str
  docker_cli:
    description:
      - Docker's command-line client, for O(container), O(image) and O(compose_service); by default C(docker) on the
        C(PATH). It finds the engine as always, for example by C(DOCKER_HOST) in the environment of the task.
    type: path
attributes:
  action_group:
    description: Use C(group/edusphere.django.project) in C(module_defaults) to set the parameters of a project once.
    support: full
    membership:
      - edusphere.django.project
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: full
notes:
  - Nothing needs installing into the project. The module sends a small program to the project's interpreter over
    standard input. It may print what it likes.
  - When the module ends before its time, even by SIGKILL, what runs in the project is ended as well.
  - A Django that can't be loaded fails the task with the type and the text of its own exception.
requirements:
  - Python 3.9 or later on the host, for the module
  - Django 4.2 or later, on Python 3.9 or later, in the project
  - Docker's command-line client on the host, with Compose 2.26 or later for O(compose_service), for projects in
    containers
"""
