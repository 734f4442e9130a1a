"""`sudo edusphere-manage …` is manage.py, run as the backend runs."""

from __future__ import annotations

import json

from behaviour.platforms import Platform
from testinfra.host import Host

AWKWARD = """# 'single' "double" $HOME ${HOME} $$ %h %% \\n \\ `date` $(date) ; & | > < * ~ é €"""


def test_arguments_arrive_as_they_were_given(vm: Host) -> None:
    code = "import json, sys; print(json.dumps(sys.argv[1:])) " + AWKWARD
    arguments = json.loads(vm.check_output("edusphere-manage shell -c %s", code).splitlines()[-1])
    assert arguments == ["shell", "-c", code]


def test_exit_code(vm: Host) -> None:
    assert vm.run("edusphere-manage shell -c %s", "raise SystemExit(7)").rc == 7
    assert vm.run("edusphere-manage check").rc == 0
    assert vm.run("edusphere-manage no-such-command").rc == 1


def test_same_environment_and_account_as_the_backend(vm: Host, platform: Platform, environment: dict[str, str]) -> None:
    """Every variable of the environment file has the same bytes in both processes."""
    code = (
        "import json, os, pwd; print(json.dumps([pwd.getpwuid(os.geteuid()).pw_name, os.umask(0), os.getcwd(), "
        "{k.decode(): v.decode() for k, v in os.environb.items()}]))"
    )
    account, umask, directory, here = json.loads(vm.check_output("edusphere-manage shell -c %s", code).splitlines()[-1])
    names = {line.split("=", 1)[0] for line in vm.file(platform.environment_file).content_string.splitlines() if line}
    assert len(names) >= 15
    assert {name: here[name] for name in names} == {name: environment[name] for name in names}
    assert (account, umask) == (platform.account, 0o022)
    assert directory == platform.directory


def test_standard_input(vm: Host) -> None:
    assert vm.check_output("echo 'print(6 * 7)' | edusphere-manage shell").splitlines()[-1] == "42"


def test_only_for_root(vm: Host) -> None:
    refused = vm.run("runuser -u nobody -- edusphere-manage check")
    assert refused.failed
    assert "sudo edusphere-manage check" in refused.stderr
