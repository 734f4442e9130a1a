"""The Dockerfile of a frontend, by its package manager."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
# By host: the setting, and packageManager of package.json.
CASES = {
    "plain": ("npm", ""),
    "newer": ("npm", "npm@11.6.0"),
    "pnpm": ("pnpm", "pnpm@9.15.4+sha512.0123"),
    "yarn": ("yarn", "yarn@1.22.22"),
    "berry": ("yarn", "yarn@4.5.0"),
}
INSTALLS = {
    "plain": "npm ci --no-audit --no-fund",
    "newer": "npm ci --no-audit --no-fund",
    "pnpm": "pnpm install --frozen-lockfile",
    "yarn": "yarn install --frozen-lockfile --non-interactive",
    "berry": "yarn install --immutable",
}
PACKAGES = {"newer": "npm@11.6.0", "pnpm": "pnpm@9.15.4", "yarn": "yarn@1.22.22", "berry": "@yarnpkg/cli-dist@4.5.0"}


@pytest.fixture(scope="module")
def dockerfiles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    place = tmp_path_factory.mktemp("frontend")
    role = ROOT / "roles/frontend"
    play = {
        "hosts": "all",
        "connection": "local",
        "gather_facts": False,
        "vars_files": [f"{role}/defaults/main.yml", f"{role}/vars/main.yml"],
        "tasks": [
            {"import_role": {"name": "settings", "rolespec_validate": False, "public": True}},
            {
                "ansible.builtin.template": {
                    "src": f"{role}/templates/docker/Dockerfile.j2",
                    "dest": f"{place}/{{{{ inventory_hostname }}}}",
                    "mode": "0600",
                }
            },
        ],
    }
    hosts = {
        name: {
            "edusphere_app_package_manager": manager,
            "__frontend_package": {"content": base64.b64encode(json.dumps({"packageManager": said}).encode()).decode()},
        }
        for name, (manager, said) in CASES.items()
    }
    variables = {
        "ansible_python_interpreter": sys.executable,
        "edusphere_domain": "edusphere.test",
        "frontend_build_environment": {"npm_config_registry": "https://user:password@npm.example.org/"},
    }
    (place / "hosts.yml").write_text(json.dumps({"all": {"hosts": hosts, "vars": variables}}))
    (place / "play.yml").write_text(json.dumps([play]))
    run = subprocess.run(
        ["ansible-playbook", "--inventory", place / "hosts.yml", place / "play.yml"],
        env=os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return {name: (place / name).read_text() for name in CASES}


@pytest.mark.parametrize("name", CASES)
def test_each_keeps_to_its_lock_file(dockerfiles: dict[str, str], name: str) -> None:
    dockerfile = dockerfiles[name]
    assert f" {INSTALLS[name]} \\\n" in dockerfile
    assert f" {CASES[name][0]} run build \\\n" in dockerfile
    installed = re.findall(r"npm install --global \S+ \S+ \S+ \S+ (\S+) --prefix /opt/package-manager", dockerfile)
    assert installed == ([PACKAGES[name]] if name in PACKAGES else [])


def test_the_address_of_a_registry_is_a_secret(dockerfiles: dict[str, str]) -> None:
    """It is in no instruction, since those are in the image's history."""
    assert "password" not in dockerfiles["pnpm"]
    assert dockerfiles["pnpm"].count("--mount=type=secret,id=downloads . /run/secrets/downloads && ") == 3
