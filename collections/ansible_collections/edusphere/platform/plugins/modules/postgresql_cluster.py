#!/usr/bin/python
# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: postgresql_cluster
short_description: Have a PostgreSQL cluster, as postgresql-common means it
version_added: 0.1.0
author:
  - EduSphere platform contributors (!UNKNOWN)
description:
  - Creates a cluster with C(pg_createcluster) where there is none of that version and name, and does not start it.
  - What is there already is never touched. A cluster of another version or name on the same port, a data directory that
    belongs to nobody known, or a cluster whose data is elsewhere are errors, all told at once.
  - A cluster that this module was killed while making is recognized by a note that it keeps meanwhile in
    C(/var/lib/edusphere-platform/postgresql), and made anew.
notes:
  - Needs C(postgresql-common) and the server's package, except in check mode.
attributes:
  check_mode:
    description: Tells whether a cluster would be created and what stands in the way, before the packages are there too.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
options:
  version:
    description: The server's major version.
    type: str
    required: true
  name:
    description: The cluster's name.
    type: str
    default: main
  port:
    description: The port that a new cluster gets, and that no other cluster may have.
    type: int
    required: true
  data_directory:
    description:
      - Where the data is. It may exist when it is empty.
      - By default C(/var/lib/postgresql/VERSION/NAME).
    type: path
  locale:
    description: The locale of a new cluster.
    type: str
    default: C.UTF-8
seealso:
  - name: pg_createcluster
    description: The command of postgresql-common that makes a cluster.
    link: https://manpages.debian.org/stable/postgresql-common/pg_createcluster.1.en.html
"""

EXAMPLES = r"""
- name: Create the cluster
  edusphere.platform.postgresql_cluster:
    version: "17"
    port: 5432
    data_directory: /data/postgresql/17
"""

RETURN = r"""
exists:
  description: Whether the cluster was there before.
  returned: success
  type: bool
running_port:
  description: The port that its server listens on now; 0 when it does not run.
  returned: success
  type: int
  sample: 5432
data_directory:
  description: Where the data is.
  returned: success
  type: str
  sample: /var/lib/postgresql/17/main
"""

import json
import os
import shutil
import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

CONFIGURATION_ROOT = Path("/etc/postgresql")
NOTES = Path("/var/lib/edusphere-platform/postgresql")

# postgresql.conf without a port: https://www.postgresql.org/docs/current/runtime-config-connection.html
DEFAULT_PORT = 5432


class ClusterError(Exception):
    """Problems that an operator has to solve; one a line."""


class Cluster(t.NamedTuple):
    """A cluster that has a configuration on this host."""

    version: str
    name: str
    port: int
    data_directory: str

    def __str__(self) -> str:
        return "%s/%s" % (self.version, self.name)


def parse_pid_file(text: str) -> t.Tuple[int, int]:
    """Process id and port from C(postmaster.pid), its lines 1 and 4; 0 for one that is not written yet."""
    lines = text.splitlines()
    process, port = (
        int(lines[index]) if index < len(lines) and lines[index].strip().isdigit() else 0 for index in (0, 3)
    )
    return process, port


def running_port(data_directory: str) -> int:
    """The port on which the server of a data directory listens, 0 when it does not run."""
    try:
        process, port = parse_pid_file((Path(data_directory) / "postmaster.pid").read_text())
        # A stale file's number may belong to another process by now.
        return port if Path("/proc/%d/comm" % process).read_text().strip() == "postgres" else 0
    except OSError:
        return 0


OCCUPIED_PORT = (
    "edusphere_database_port: port {wanted.port} belongs to the PostgreSQL cluster {there} (data in"
    " {there.data_directory}), and {wanted} is wanted. To keep using it, set postgresql_version: {there.version} and"
    " postgresql_cluster: {there.name}. To move its data to {wanted}, use pg_upgradecluster. To leave it alone, set"
    " edusphere_database_port to a free port."
)
DATA_ELSEWHERE = (
    "postgresql_data_directory: the cluster {own} has its data in {own.data_directory}, not in {wanted.data_directory}."
    " Set postgresql_data_directory: {own.data_directory}, or stop the cluster, move the data and change data_directory"
    " in its postgresql.conf."
)
FOREIGN_DATA = (
    "postgresql_data_directory: {wanted.data_directory} is not empty and belongs to no cluster of this host. Set it to"
    " an empty directory (for a mount point: one below it), or, if it is a cluster's data, give it a configuration:"
    " pg_createcluster --datadir={wanted.data_directory} --port={wanted.port} {wanted.version} {wanted.name}"
)


def conflicts(
    wanted: Cluster, clusters: t.Sequence[Cluster], own: t.Optional[Cluster], data_is_there: bool
) -> t.List[str]:
    """What stands in the way of O(wanted), each with its fix.

    :arg clusters: every cluster of this host.
    :arg own: the one among them with the version and name of C(wanted).
    :arg data_is_there: the wanted data directory exists and is not empty.
    """
    problems = [
        OCCUPIED_PORT.format(wanted=wanted, there=there)
        for there in clusters
        if there.port == wanted.port and (there.version, there.name) != (wanted.version, wanted.name)
    ]
    if own is not None and os.path.realpath(own.data_directory) != os.path.realpath(wanted.data_directory):
        problems.append(DATA_ELSEWHERE.format(wanted=wanted, own=own))
    if own is None and data_is_there:
        problems.append(FOREIGN_DATA.format(wanted=wanted))
    return problems


class Host:
    """The clusters of this host, through postgresql-common's commands."""

    def __init__(self, module: AnsibleModule) -> None:
        self._module = module

    def _setting(self, version: str, name: str, setting: str) -> str:
        """A value of postgresql.conf or its conf.d, '' where it says nothing."""
        command = ["pg_conftool", "--short", version, name, "show", setting]
        rc, out, _err = self._module.run_command(command)
        return str(out).strip() if rc == 0 else ""

    def clusters(self) -> t.List[Cluster]:
        """Every cluster with a configuration."""
        found = []
        for path in sorted(CONFIGURATION_ROOT.glob("*/*/postgresql.conf")):
            version, name = path.parts[-3:-1]
            port = self._setting(version, name, "port")
            data = self._setting(version, name, "data_directory") or str(path.parent)
            found.append(Cluster(version, name, int(port or DEFAULT_PORT), data))
        return found

    def create(self, wanted: Cluster, locale: str) -> None:
        """Make the cluster; raises ClusterError with what pg_createcluster said."""
        command = [
            "pg_createcluster",
            "--datadir=" + wanted.data_directory,
            "--port=%d" % wanted.port,
            "--locale=" + locale,
            "--encoding=UTF8",
            "--start-conf=auto",
        ]
        command += [
            wanted.version,
            wanted.name,
            "--",
            "--data-checksums",
            "--auth-local=peer",
            "--auth-host=scram-sha-256",
        ]
        rc, out, err = self._module.run_command(command, environ_update={"LC_ALL": "C.UTF-8"})
        if rc != 0:
            raise ClusterError("`%s` failed:\n%s" % (" ".join(command), (out + err).strip()))


def contents(directory: str) -> t.List[Path]:
    """What is in a directory; nothing where there is none."""
    path = Path(directory)
    return list(path.iterdir()) if path.is_dir() else []


def clear(directory: str) -> None:
    """Remove what is in a directory; the directory itself may be a mount point and stays."""
    for path in contents(directory):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def run(module: AnsibleModule) -> t.Dict[str, t.Any]:
    """Have the cluster; the module's result."""
    version, name = module.params["version"], module.params["name"]
    data_directory = (module.params["data_directory"] or "/var/lib/postgresql/%s/%s" % (version, name)).rstrip("/")
    wanted = Cluster(version, name, module.params["port"], data_directory)
    note = NOTES / ("%s-%s.creating" % (version, name))
    half_made = json.loads(note.read_text())["data_directory"] if note.exists() else ""
    # A server on a half-made cluster: it was complete after all, only the note was not taken away.
    if half_made and running_port(half_made):
        half_made = ""

    host = Host(module)
    clusters = host.clusters()
    own = next((cluster for cluster in clusters if (cluster.version, cluster.name) == (version, name)), None)
    if half_made:
        clusters = [cluster for cluster in clusters if cluster is not own]
        own = None
    problems = conflicts(wanted, clusters, own, bool(contents(data_directory)) and data_directory != half_made)
    if problems:
        raise ClusterError("\n".join(problems))

    if not module.check_mode:
        if half_made:
            clear(half_made)
            shutil.rmtree(CONFIGURATION_ROOT / version / name, ignore_errors=True)
        if own is None:
            NOTES.mkdir(parents=True, exist_ok=True)
            with note.open("w") as stream:
                json.dump({"data_directory": data_directory}, stream)
                stream.flush()
                os.fsync(stream.fileno())
            host.create(wanted, module.params["locale"])
        note.unlink(missing_ok=True)
    return {
        "changed": own is None,
        "exists": own is not None,
        "running_port": running_port(data_directory) if own else 0,
        "data_directory": data_directory,
    }


def main() -> None:
    """Entry point."""
    # pg_createcluster makes directories above those that it gives to the server, which must get through them.
    os.umask(0o022)
    module = AnsibleModule(
        argument_spec={
            "version": {"type": "str", "required": True},
            "name": {"type": "str", "default": "main"},
            "port": {"type": "int", "required": True},
            "data_directory": {"type": "path"},
            "locale": {"type": "str", "default": "C.UTF-8"},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module))
    except (ClusterError, OSError, ValueError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
