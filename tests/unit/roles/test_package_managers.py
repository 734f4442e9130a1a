"""The Dockerfile of a frontend, by its package manager."""

from __future__ import annotations

import base64
import json
import re

import pytest
from rendering import ROOT, rendered

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
    hosts = {
        name: {
            "edusphere_app_package_manager": manager,
            "__frontend_package": {"content": base64.b64encode(json.dumps({"packageManager": said}).encode()).decode()},
        }
        for name, (manager, said) in CASES.items()
    }
    return rendered(
        tmp_path_factory.mktemp("frontend"),
        ROOT / "roles/frontend/templates/docker/Dockerfile.j2",
        hosts,
        role="frontend",
        frontend_build_environment={"npm_config_registry": "https://user:password@npm.example.org/"},
    )


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
