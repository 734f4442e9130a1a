"""How a command of a build is confined, and what is told of one that failed. systemd itself is in the scenarios."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.edusphere.platform.plugins.module_utils import confinement as confine
from ansible_collections.edusphere.platform.plugins.modules import build_command
from hypothesis import given, settings
from hypothesis import strategies as st

CONFINED = confine.Confinement("edusphere-build-shop", "shop-build", ("/srv/a", "/srv/b"), ("/etc/shop",))
CANARY = "s3cr3t-canary"
# Stands for systemd-run: it keeps how it was called and the environment that the unit would have, and runs the command.
SYSTEMD_RUN = """#!/bin/bash
printf '%s\\n' "$@" >> {place}/called
for word; do case $word in --property=EnvironmentFile=*) file=${{word#*File=}}; esac; done
stat --format=%a "$file" >> {place}/mode
while [ "$1" != -- ]; do shift; done
shift
set -a; . "$file"
cd / && "${{@//'$$'/'$'}}"
"""
SYSTEMCTL = """#!/bin/bash
echo "$@" >> {place}/ordered
cat {place}/says 2>/dev/null || true
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "bin").mkdir()
    for name, text in {"systemd-run": SYSTEMD_RUN, "systemctl": SYSTEMCTL}.items():
        (tmp_path / "bin" / name).write_text(text.format(place=tmp_path))
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.setattr(build_command, "RUN", str(tmp_path))
    return tmp_path


@pytest.fixture
def run(place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    def run_module(*argv: str, **arguments: Any) -> dict[str, Any]:
        monkeypatch.setattr(
            "ansible.module_utils.basic.AnsibleModule.log",
            lambda _module, text, **_: (place / "logged").write_text(str(text)),
        )
        given = {
            "argv": list(argv),
            "chdir": "/srv/a",
            "confinement": {
                "unit": "shop",
                "user": "b",
                "writable": ["/srv/a"],
                "environment": {"PATH": os.environ["PATH"]},
            },
            **arguments,
        }
        with patch_module_args(given), pytest.raises(SystemExit):
            build_command.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return result

    return run_module


def test_what_a_build_may_do() -> None:
    """The list that must not become shorter."""
    found = confine.properties(CONFINED)
    assert {"User=shop-build", "Group=shop-build", "KillMode=control-group", "NoNewPrivileges=true"} - set(
        found
    ) == set()
    assert {"ProtectSystem=strict", "ProtectHome=true", "PrivateTmp=true", "CapabilityBoundingSet="} - set(
        found
    ) == set()
    assert [each for each in found if each.startswith("ReadWritePaths=")] == [
        "ReadWritePaths=/srv/a",
        "ReadWritePaths=/srv/b",
    ]
    assert {"InaccessiblePaths=-/etc/shop", "InaccessiblePaths=-/run/dbus"} - set(found) == set()
    (denied,) = (each for each in found if each.startswith("IPAddressDeny="))
    assert {"169.254.169.254/32", "fd00:ec2::254/128"} - set(denied.partition("=")[2].split()) == set()
    # PostgreSQL's own is -900 at Debian, and that of what it starts 0.
    assert "OOMScoreAdjust=1000" in found
    assert not any(each.startswith("MemoryMax=") for each in found)
    assert "MemoryMax=2G" in confine.properties(CONFINED._replace(memory_max="2G"))


def test_systemd_knows_all_of_it(tmp_path: Path) -> None:
    """As a unit's file, of which its own verifier says what it does not know."""
    sections = "\n".join(confine.properties(CONFINED._replace(user="root", memory_max="2G")))
    unit = tmp_path / "build.service"
    unit.write_text(f"[Service]\nExecStart=/bin/true\n{sections}\n")
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert str(unit) not in done.stderr
    assert "Unknown" not in done.stderr


def test_how_it_is_started(run: Any, place: Path) -> None:
    result = run(
        "sh", "-c", 'echo "$SHOP $0" && cat && echo to-stderr >&2', "a $b c", stdin="in", environment={"SHOP": "books"}
    )
    assert (result["rc"], result["stdout"].startswith("books ")) == (0, True)
    assert result["stdout"].endswith("in")
    assert result["stderr"] == "to-stderr\n"
    called = (place / "called").read_text().splitlines()
    assert {"--wait", "--pipe", "--unit=shop", "--working-directory=/srv/a"} - set(called) == set()
    # systemd fills in variables, and takes two signs for one.
    assert called[-1] == "a $$b c"
    # What an earlier run has left is stopped first.
    assert (place / "ordered").read_text().splitlines()[:2] == ["stop shop.service", "reset-failed shop.service"]


def test_the_environment_is_nowhere_else(run: Any, place: Path) -> None:
    environment = {"UV_DEFAULT_INDEX": f"https://build:{CANARY}@index/simple", "MULTIPLE": 'a "b" $c `d` \\e\n%f'}
    result = run("sh", "-c", 'echo "$UV_DEFAULT_INDEX"; printf %s "$MULTIPLE" >&2', environment=environment)
    assert result["stdout"] == "https://build:********@index/simple\n"
    assert result["stderr"] == environment["MULTIPLE"]
    assert result["invocation"]["module_args"]["environment"] == ["MULTIPLE", "PATH", "UV_DEFAULT_INDEX"]
    assert (place / "mode").read_text() == "600\n"
    assert CANARY not in (place / "called").read_text() + (place / "logged").read_text() + json.dumps(result)
    assert not (place / "shop.environment").exists()
    failed = run("sh", "-c", "echo $UV_DEFAULT_INDEX; exit 3", environment=environment)
    assert (failed["rc"], failed["msg"]) == (3, "non-zero return code: 3")
    assert CANARY not in json.dumps(failed)
    assert not (place / "shop.environment").exists()


def test_a_file_that_a_killed_run_has_left(run: Any, place: Path) -> None:
    (place / "shop.environment").symlink_to(place / "victim")
    assert run("true")["rc"] == 0
    assert not (place / "victim").exists()


@pytest.mark.parametrize("says", ["Result=oom-kill\nExecMainStatus=1", "Result=signal\nExecMainStatus=9"])
@pytest.mark.parametrize("limit", ["", "512M"])
def test_a_build_that_ran_out_of_memory(run: Any, place: Path, says: str, limit: str) -> None:
    (place / "says").write_text(says)
    confinement = {"unit": "shop", "user": "b", "writable": ["/srv/a"], "environment": {"PATH": os.environ["PATH"]}}
    result = run("false", confinement={**confinement, "memory_max": limit})
    assert "memory" in result["msg"]
    assert "release_build_memory_max" in result["msg"]
    assert (limit in result["msg"]) if limit else ("Give the host more memory" in result["msg"])


@pytest.mark.parametrize(
    ("outcome", "memory"),
    [
        (confine.Outcome(1, "exit-code"), False),
        (confine.Outcome(137, "exit-code"), True),
        (confine.Outcome(15, "signal", True), False),
        (confine.Outcome(9, "exit-code"), False),
    ],
)
def test_what_memory_is_blamed_for(outcome: confine.Outcome, memory: bool) -> None:
    assert confine.out_of_memory(outcome) == memory


def test_what_systemd_could_not_start() -> None:
    assert "`journalctl --unit edusphere-build-shop` says why" in build_command.message(confine.Outcome(226), CONFINED)


@settings(deadline=None)
@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0\r\n")))
def test_any_value_is_read_back(value: str) -> None:
    """By a shell, whose quotes systemd's are like."""
    text = confine.environment_text({"VALUE": value})
    said = subprocess.run(["sh", "-c", f'{text}printf %s "$VALUE"'], capture_output=True, check=True).stdout
    assert said.decode() == value


def test_a_name_that_is_none(run: Any) -> None:
    assert "environment: a-b can't be set" in run("true", environment={"a-b": CANARY})["msg"]


def test_check_mode_runs_nothing(run: Any, place: Path) -> None:
    assert run("true", _ansible_check_mode=True)["changed"]
    assert not (place / "called").exists()
    assert stat.S_ISDIR(place.stat().st_mode)
