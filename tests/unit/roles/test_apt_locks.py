"""What runs do where another program holds a lock of apt's: the real apt, with directories of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "roles/bootstrap/files/install_packages.sh"
# Locks as apt does, for some seconds, and says when it has the lock.
HOLD = """import fcntl, sys, time
lock = open(sys.argv[1], "w")
fcntl.lockf(lock, fcntl.LOCK_EX)
print(flush=True)
time.sleep({})
"""
LOCKS = ["lists/lock", "cache/archives/lock"]

pytestmark = pytest.mark.skipif(not shutil.which("apt-get") or os.geteuid() != 0, reason="for root on Debian")
bindings = pytest.mark.skipif(
    not Path("/usr/lib/python3/dist-packages/apt/__init__.py").exists(), reason="needs python3-apt"
)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Directories for apt with a package in a source of its own; nothing gets farther than to be downloaded."""
    for directory in ("lists/partial", "cache/archives/partial", "sources", "package/DEBIAN"):
        (tmp_path / directory).mkdir(parents=True)
    control = (
        "Package: small\nVersion: 1\nArchitecture: all\nMaintainer: Nobody <nobody@example.org>\nDescription: small\n"
    )
    (tmp_path / "package/DEBIAN/control").write_text(control)
    package = tmp_path / "small.deb"
    subprocess.run(["dpkg-deb", "--build", tmp_path / "package", package], capture_output=True, check=True)
    digest = subprocess.run(["sha256sum", package], capture_output=True, text=True, check=True).stdout.split()[0]
    entry = f"{control}Filename: ./small.deb\nSize: {package.stat().st_size}\nSHA256: {digest}\n"
    (tmp_path / "Packages").write_text(entry)
    (tmp_path / "sources/own.list").write_text(f"deb [trusted=yes] copy:{tmp_path} ./\n")
    (tmp_path / "apt.conf").write_text(
        f"""Dir::State::lists "{tmp_path}/lists/";
Dir::State::extended_states "{tmp_path}/extended_states";
Dir::Cache "{tmp_path}/cache/";
Dir::Etc::sourcelist "{tmp_path}/none";
Dir::Etc::sourceparts "{tmp_path}/sources/";
APT::Sandbox::User "root";
APT::Get::Download-Only "true";
"""
    )
    return tmp_path


def install(place: Path, seconds: int, package: str = "small") -> subprocess.CompletedProcess[str]:
    """Run the script as the role does."""
    return subprocess.run(
        ["sh", "-c", f"set -- {seconds} {package}\n{SCRIPT.read_text()}"],
        env=os.environ | {"APT_CONFIG": str(place / "apt.conf")},
        capture_output=True,
        text=True,
        check=False,
    )


@contextmanager
def held(lock: Path, seconds: float) -> Iterator[int]:
    """Have another process hold a lock of apt's for some seconds."""
    with subprocess.Popen(["python3", "-c", HOLD.format(seconds), lock], stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()
        yield holder.pid
        holder.terminate()


def test_nothing_is_held(place: Path) -> None:
    done = install(place, 0)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (place / "cache/archives").glob("*.deb")] == ["small_1_all.deb"]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_is_waited_for(place: Path, lock: str) -> None:
    with held(place / lock, 3):
        done = install(place, 60)
    assert done.returncode == 0, done.stderr
    assert (place / "cache/archives/small_1_all.deb").exists()


@pytest.mark.parametrize("lock", LOCKS)
def test_who_is_waited_for(place: Path, lock: str) -> None:
    with held(place / lock, 60) as holder:
        done = install(place, 1)
    assert done.returncode == 100
    assert f"Could not get lock {place}/{lock}. It is held by process {holder} (python3)" in done.stderr
    assert re.search(r"^apt-get (update|install) waited 1 s for another program", done.stderr)
    assert "edusphere_apt_lock_timeout" in done.stderr


def test_other_failures_are_told_at_once(place: Path) -> None:
    done = install(place, 600, "no-such-package")
    assert done.returncode == 100
    assert "Unable to locate package no-such-package" in done.stderr
    assert "waited" not in done.stderr


def by_module(place: Path, seconds: int, package: str, **options: object) -> tuple[int, str]:
    """Install as the other roles do, by the bindings of the distribution's Python."""
    arguments = {"name": package, "lock_timeout": seconds, **options}
    play = {
        "hosts": "all",
        "connection": "local",
        "gather_facts": False,
        "environment": {"APT_CONFIG": str(place / "apt.conf")},
        "vars": {"ansible_python_interpreter": "/usr/bin/python3"},
        "tasks": [{"edusphere.platform.packages": arguments}],
    }
    (place / "play.json").write_text(json.dumps([play]))
    done = subprocess.run(
        ["ansible-playbook", "--inventory=machine,", place / "play.json"],
        env=os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, " ".join((done.stdout + done.stderr).split())


# Which lock, and what is asked for.
BY_MODULE = [("lists/lock", {"update_cache": True}), ("cache/archives/lock", {})]


@bindings
@pytest.mark.parametrize(("lock", "options"), BY_MODULE)
def test_roles_wait_for_a_lock(place: Path, lock: str, options: dict[str, object]) -> None:
    assert install(place, 0).returncode == 0
    (place / "cache/archives/small_1_all.deb").unlink()
    with held(place / lock, 5):
        code, said = by_module(place, 60, "small", **options)
    assert code == 0, said
    assert (place / "cache/archives/small_1_all.deb").exists()


@bindings
@pytest.mark.parametrize(("lock", "options"), BY_MODULE)
def test_roles_say_who_is_waited_for(place: Path, lock: str, options: dict[str, object]) -> None:
    assert install(place, 0).returncode == 0
    with held(place / lock, 60) as holder:
        code, said = by_module(place, 3, "small", **options)
    assert code == 2
    assert f"for 3 s: Could not get lock {place}/{lock}. It is held by process {holder} (python3)" in said
    assert "edusphere_apt_lock_timeout" in said


@bindings
def test_roles_tell_other_failures_at_once(place: Path) -> None:
    code, said = by_module(place, 600, "no-such-package")
    assert code == 2
    assert "No package matching 'no-such-package' is available" in said


def test_every_role_waits() -> None:
    found = [path.name for path in ROOT.glob("roles/*/tasks/**/*.yml") if "ansible.builtin.apt:" in path.read_text()]
    assert found == []


def test_the_same_time_as_in_the_settings() -> None:
    """Bootstrap comes before the settings, and has their default once more."""
    (default,) = re.findall(
        r"^edusphere_apt_lock_timeout: (\d+)$", (ROOT / "roles/settings/defaults/main.yml").read_text(), re.MULTILINE
    )
    assert f"edusphere_apt_lock_timeout | default({default})" in (ROOT / "roles/bootstrap/vars/main.yml").read_text()
