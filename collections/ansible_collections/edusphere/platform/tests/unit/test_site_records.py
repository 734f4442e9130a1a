"""What an app host remembers: every record damaged in every way, on hosts that have links, processes and containers.

Programs of the host (systemctl, docker) are stand-ins that say what the test wants; processes and links are real.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edusphere.platform.plugins.module_utils.rollout.records import (
    LOST,
    Backend,
    Built,
    Host,
    Remembered,
    peer,
    recall,
    unsafe,
)
from ansible_collections.edusphere.platform.plugins.modules.site_records import run
from modules import Call

NOW = "2026-11-29T12:00:00Z"
V1, V2 = "v1-0123456789ab", "v2-ba9876543210"
LIVE = {"format": 2, "release": V2, "version": "v2", "since": "2026-11-20T10:00:00Z", "rolled_back": False, "slot": "b"}
KEPT = [
    {"release": V2, "version": "v2", "since": "2026-11-20T10:00:00Z", "rolled_back": False},
    {"release": V1, "version": "v1", "since": "2026-11-10T10:00:00Z", "rolled_back": False},
]
SCHEMA = {"shop.0007_drop_slug": "drops a column"}
WHOLE: dict[str, Any] = {
    "live": LIVE,
    "releases": KEPT,
    "schema": SCHEMA,
    "pages": {"release": V2},
    "closed": {"release": V2},
    "after_switch": "due",
    "before": {"release": V1},
}
TYPES: dict[str, Callable[[Any], bool]] = {
    "live": lambda value: isinstance(value["release"], str) and value["slot"] in ("a", "b"),
    "releases": lambda value: all(isinstance(entry["release"], str) for entry in value),
    "schema": lambda value: all(isinstance(reason, str) for reason in value.values()),
    "pages": lambda value: isinstance(value["release"], str),
    "closed": lambda value: isinstance(value["release"], str),
    "after_switch": lambda value: value == "due",
    "before": lambda value: isinstance(value["release"], str),
}


class Asked:
    """What the module's parts use of Ansible's."""

    def __init__(self, programs: Path, params: dict[str, Any], check_mode: bool) -> None:
        self.programs, self.params, self.check_mode = programs, params, check_mode

    def get_bin_path(self, name: str) -> str | None:
        return shutil.which(name, path=str(self.programs))

    def run_command(self, command: list[str], environ_update: dict[str, str]) -> tuple[int, str, str]:
        environment = {"PATH": f"{self.programs}:{os.environ['PATH']}"} | environ_update
        said = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        return said.returncode, said.stdout, said.stderr

    def warn(self, text: str) -> None:
        assert text.endswith("The records are put right.")


class AppHost:
    """A native app host: v2 serves in slot b, v1 was before it in slot a."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.root = path / "srv"
        self.records = self.root / "records"
        self.site = path / "site.conf"
        self.programs = path / "bin"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.native = True
        for directory in (self.records, self.root / "slots", self.programs, path / "etc"):
            directory.mkdir(parents=True)
        for release, version in ((V1, "v1"), (V2, "v2")):
            (self.root / "releases" / release).mkdir(parents=True)
            (self.root / "releases" / release / ".release.json").write_text(
                json.dumps({"id": release, "version": version})
            )
        for slot, release in (("a", V1), ("b", V2)):
            (self.root / "slots" / slot).symlink_to(self.root / "releases" / release)
        (self.root / "current").symlink_to(self.root / "releases" / V2)
        (path / "etc/app.env").symlink_to("slot-b.env")
        self.site.write_text("upstream shop_backend {\n    server unix:/run/shop-backend-b/http.sock;\n}\n")
        self.write(WHOLE | {"closed": None, "after_switch": None, "before": None})

    def write(self, records: dict[str, Any]) -> None:
        for name, value in records.items():
            if value is not None:
                (self.records / f"{name}.fact").write_text(json.dumps(value, indent=4, sort_keys=True) + "\n")

    def program(self, name: str, text: str) -> None:
        (self.programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (self.programs / name).chmod(0o755)

    def starts(self, *slots: str, enabled: str = "b") -> None:
        """The slots run, each in its release's directory."""
        said = []
        for slot in "ab":
            if slot in slots and slot not in self.processes:
                self.processes[slot] = subprocess.Popen(["sleep", "600"], cwd=self.root / "slots" / slot)
            state, pid = ("active", self.processes[slot].pid) if slot in slots else ("inactive", 0)
            file_state = "enabled" if slot == enabled else "disabled"
            said.append(
                f"MainPID={pid}\nId=shop-backend@{slot}.service\nActiveState={state}\nUnitFileState={file_state}"
            )
        (self.path / "said").write_text("\n\n".join(said) + "\n")
        self.program("systemctl", f"cat {self.path}/said")

    def arguments(self, state: str) -> dict[str, Any]:
        return {
            "directory": str(self.records),
            "state": state,
            "name": "shop",
            "native": self.native,
            "root": str(self.root),
            "environment": f"{self.path}/etc/app.env",
            "nginx_site": str(self.site),
            "closed_page": f"{self.path}/closed.html",
        }

    def ask(self, state: str = "read", *, check: bool = False, forget: bool = False) -> dict[str, Any]:
        """What the module says, in this process: there are hundreds of them."""
        return run(cast(AnsibleModule, Asked(self.programs, self.arguments(state) | {"forget": forget}, check)))

    def local(self, state: str = "read", *, forget: bool = False) -> dict[str, Any]:
        answer = self.ask(state, forget=forget)
        assert "refused" not in answer, answer
        return dict(answer["ansible_facts"]["ansible_local"])


@pytest.fixture
def host(tmp_path: Path) -> Iterator[AppHost]:
    host = AppHost(tmp_path)
    host.starts("b")
    yield host
    for process in host.processes.values():
        process.kill()
        process.wait()


def remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def empty(path: Path) -> None:
    path.write_text("")


def truncated(path: Path) -> None:
    text = path.read_text()
    path.write_text(text[: len(text) // 2])


def not_json(path: Path) -> None:
    path.write_bytes(b"\xff\xfe nothing that JSON knows\n")


def wrong_type(path: Path) -> None:
    path.write_text("[1, 2]" if path.name != "releases.fact" else '{"release": 5}')


def wrong_values(path: Path) -> None:
    path.write_text(
        '[{"release": ["x"]}]' if path.name == "releases.fact" else '{"release": 5, "slot": "c", "shop.0001": null}'
    )


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "file").touch()


DAMAGES = [remove, empty, truncated, not_json, wrong_type, wrong_values, directory]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("name", WHOLE)
def test_every_record_damaged_in_every_way(host: AppHost, name: str, damage: Callable[[Path], None]) -> None:
    """Status knows what serves and says what is wrong; a run mends it, and the next one finds nothing to do."""
    host.write(WHOLE)
    (host.path / "closed.html").touch()
    damage(host.records / f"{name}.fact")
    before = {path.name for path in host.records.iterdir()}
    answer = host.ask()
    facts = answer["ansible_facts"]["ansible_local"]
    assert not answer["changed"]
    assert {path.name for path in host.records.iterdir()} == before
    assert (facts["live"]["release"], facts["live"]["slot"], facts["live"]["version"]) == (V2, "b", "v2")
    assert [entry["release"] for entry in facts["releases"]] == [V2, V1]
    assert not facts["releases"][1].get("withdrawn"), "what the other slot had served before"
    assert all(TYPES[known](value) for known, value in facts.items())
    if not (damage is remove and name in ("pages", "after_switch", "before")):
        assert any(f"{name}.fact" in each for each in answer["differences"]), answer
    if name == "schema":
        assert LOST in facts["schema"]
    elif name != "live" or damage is not remove:
        assert facts["schema"] == SCHEMA

    assert host.ask("mended", check=True)["changed"] == (bool(answer["differences"]))
    assert {path.name for path in host.records.iterdir()} == before
    mended = host.ask("mended")
    assert mended["changed"] == bool(answer["differences"])
    again = host.ask("mended")
    assert (again["changed"], again["differences"]) == (False, [])
    assert again["ansible_facts"]["ansible_local"]["live"] == mended["ansible_facts"]["ansible_local"]["live"]
    kept = list(host.records.glob(f"{name}.fact.damaged-*"))
    assert len(kept) == (damage is not remove)


def test_foreign_keys_and_a_mode_for_root_alone(host: AppHost) -> None:
    """What somebody has added stays, and who is asked is root."""
    host.write({"live": LIVE | {"note": {"by": "ada"}}, "schema": SCHEMA, "pages": {"release": V2, "x": 1}})
    for path in host.records.iterdir():
        path.chmod(0o600)
    before = {path.name: path.read_text() for path in host.records.iterdir()}
    answer = host.ask("mended")
    assert (answer["changed"], answer["differences"]) == (False, [])
    assert answer["ansible_facts"]["ansible_local"]["live"]["note"] == {"by": "ada"}
    assert {path.name: path.read_text() for path in host.records.iterdir()} == before


def test_all_records_gone(host: AppHost) -> None:
    """The directory, too: what serves is adopted with its release, and its migrations are unknown to a rollback."""
    shutil.rmtree(host.records)
    facts = host.local()
    assert (facts["live"]["release"], facts["live"]["slot"]) == (V2, "b")
    assert not host.records.exists()
    host.local("mended")
    written = json.loads((host.records / "live.fact").read_text())
    assert (written["release"], written["slot"], written["version"]) == (V2, "b", "v2")
    assert LOST in json.loads((host.records / "schema.fact").read_text())
    assert host.ask("mended")["changed"] is False


def test_a_first_installation(host: AppHost) -> None:
    """Nothing is there; nor is anything adopted that a killed one has left, to which nothing leads."""
    shutil.rmtree(host.records)
    host.site.unlink()
    host.starts("b", enabled="")
    assert host.local("mended") == {}
    assert host.ask()["differences"] == ["shop-backend@b runs without a record, and nothing leads to it"]
    host.starts(enabled="")
    shutil.rmtree(host.root)
    assert host.ask("mended")["changed"] is False


def test_a_slot_that_starts_with_the_host_is_adopted(host: AppHost) -> None:
    """Where nginx' configuration is gone as well."""
    (host.records / "live.fact").unlink()
    host.site.unlink()
    assert host.local()["live"]["slot"] == "b"


def test_of_two_slots_nginx_says_which_serves(host: AppHost) -> None:
    """As in the middle of a switch."""
    (host.records / "live.fact").unlink()
    host.starts("a", "b", enabled="a")
    assert host.local()["live"]["slot"] == "b"


def test_a_switch_that_was_interrupted_is_no_difference(host: AppHost) -> None:
    """The record comes before nginx, and says what is to serve."""
    host.site.write_text("server unix:/run/shop-backend-a/http.sock;\n")
    host.starts("a", "b", enabled="a")
    answer = host.ask()
    assert answer["differences"] == []
    assert answer["ansible_facts"]["ansible_local"]["live"] == LIVE


def test_what_serves_goes_before_a_record_of_what_does_not(host: AppHost) -> None:
    """As after a restart of a host on which a switch was interrupted: the recorded slot is down."""
    host.site.write_text("server unix:/run/shop-backend-a/http.sock;\n")
    host.starts("a", enabled="a")
    answer = host.ask()
    assert answer["ansible_facts"]["ansible_local"]["live"]["slot"] == "a"
    assert answer["ansible_facts"]["ansible_local"]["live"]["release"] == V1
    (said,) = answer["differences"]
    assert said == (f"live.fact says that release {V2} serves in slot b, and shop-backend@a serves release {V1}")


def test_a_site_that_is_down_is_still_known(host: AppHost) -> None:
    host.starts()
    assert host.local()["live"] == LIVE
    (host.records / "live.fact").unlink()
    assert host.local()["live"]["slot"] == "b"


def test_a_slot_of_an_unknown_release_is_refused(host: AppHost) -> None:
    """With the way out, and status says it as well."""
    (host.root / "slots/b").unlink()
    (host.records / "live.fact").unlink()
    elsewhere = subprocess.Popen(["sleep", "600"], cwd="/")
    host.processes["b"].kill()
    host.processes["b"].wait()
    host.processes["b"] = elsewhere
    host.starts("b")
    assert "which release" in " ".join(host.ask()["differences"])
    assert "refused" in host.ask("mended")
    environment = {"PATH": f"{host.programs}:{os.environ['PATH']}"}
    module = {"module": "edusphere.platform.site_records", "arguments": host.arguments("mended")}
    refused = Call({**module, "environment": environment}).result()
    assert refused["failed"]
    assert "shop-backend@b serves, and neither a record nor a link nor its directory says" in refused["msg"]
    assert "systemctl disable --now shop-backend@a shop-backend@b" in refused["msg"]
    assert not (host.records / "live.fact").exists()


def test_links_removed_by_hand(host: AppHost) -> None:
    """Those for people are put back; the slot's own makes a run start the release anew."""
    (host.root / "current").unlink()
    (host.path / "etc/app.env").unlink()
    assert host.ask("mended")["changed"]
    assert (host.root / "current").readlink() == host.root / "releases" / V2
    assert str((host.path / "etc/app.env").readlink()) == "slot-b.env"
    assert host.ask("mended")["stale"] == ""
    (host.root / "slots/b").unlink()
    answer = host.ask("mended")
    assert "leads to no release" in answer["stale"]
    assert answer["ansible_facts"]["ansible_local"]["live"] == LIVE


def test_releases_removed_by_hand(host: AppHost) -> None:
    """Status names them; a run forgets the retained one, and starts the live one anew that was built again."""
    shutil.rmtree(host.root / "releases" / V1)
    assert host.ask()["differences"] == [f"the files of release {V1} are gone, which is retained"]
    assert [entry["release"] for entry in host.local("mended")["releases"]] == [V2, V1], "a rollback refuses it by name"
    assert [entry["release"] for entry in host.local("mended", forget=True)["releases"]] == [V2]
    shutil.rmtree(host.root / "releases" / V2)
    assert f"the files of release {V2} are gone, which serves" in host.ask()["differences"]
    (host.root / "releases" / V2).mkdir()
    assert host.ask("mended")["stale"] == "shop-backend@b runs in a directory that was removed"


def test_the_record_of_an_earlier_platform(host: AppHost) -> None:
    """It had no schema where every migration was compatible."""
    host.write({"live": {key: value for key, value in LIVE.items() if key != "format"}})
    (host.records / "schema.fact").unlink()
    answer = host.ask("mended")
    assert (answer["changed"], answer["differences"]) == (False, [])
    assert "schema" not in answer["ansible_facts"]["ansible_local"]


class Containers(AppHost):
    """The same in Compose mode."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.native = False
        self.write({"live": {key: value for key, value in LIVE.items() if key != "slot"}})
        (self.root / "stack").mkdir()
        (self.root / "stack/.env").write_text(f"# Ansible managed\nRELEASE={V2}\n")
        self.site.write_text("    server shop-backend-2:8000 resolve max_fails=0;\n    server x:8000 resolve down;\n")
        self.engine([("shop-backend-2", "running", V2)], [V2, V1])

    def engine(self, containers: list[tuple[str, str, str]], images: list[str]) -> None:
        created = "2026-11-20 10:00:00 +0000 UTC"
        ps = [f"{name}\t{state}\tshop/backend:{release}\t{release}\t{created}" for name, state, release in containers]
        ls = [f"shop/backend\t{release}\t{created}" for release in images]
        (self.path / "ps").write_text("".join(line + "\n" for line in ps))
        (self.path / "ls").write_text("".join(line + "\n" for line in ls))
        self.program("docker", f'if [ "$1" = ps ]; then cat {self.path}/ps; else cat {self.path}/ls; fi')


@pytest.fixture
def stack(tmp_path: Path) -> Containers:
    return Containers(tmp_path)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_containers_say_what_serves(stack: Containers, damage: Callable[[Path], None]) -> None:
    damage(stack.records / "live.fact")
    live = stack.local("mended")["live"]
    assert (live["release"], live["version"], live["since"]) == (V2, "v2", "2026-11-20T10:00:00Z")
    assert stack.ask("mended")["changed"] is False


def test_a_stack_that_was_taken_down(stack: Containers) -> None:
    """`docker compose down`, with the records and without: what was to run is known by .env."""
    stack.engine([], [V2, V1])
    assert stack.ask()["differences"] == []
    (stack.records / "live.fact").unlink()
    assert stack.local()["live"]["release"] == V2


def test_images_that_were_pruned(stack: Containers) -> None:
    """`docker system prune --all` leaves what runs."""
    stack.engine([("shop-backend-2", "running", V2)], [V2])
    assert stack.ask()["differences"] == [f"the files of release {V1} are gone, which is retained"]
    assert [entry["release"] for entry in stack.local("mended", forget=True)["releases"]] == [V2]


def test_an_engine_that_does_not_answer_is_no_reason_to_forget(stack: Containers) -> None:
    stack.program("docker", "exit 1")
    answer = stack.ask("mended", forget=True)
    assert (answer["changed"], answer["differences"]) == (False, [])


def test_a_first_installation_of_containers_that_was_killed(stack: Containers) -> None:
    """Before its record, and before nginx knew of it."""
    shutil.rmtree(stack.records)
    stack.site.unlink()
    assert stack.local("mended") == {}


def test_the_lost_schema_holds_until_later_releases_are_all_there_is() -> None:
    """Of a release that was deployed after it, every migration was judged."""
    lost = {LOST: f"the record of what it does was lost (noticed {NOW})", **SCHEMA}
    backend = Backend("shop-backend@b", "b", V2, True, True, True, NOW)
    host = Host(True, (backend,), (Built(V2, "v2", NOW), Built(V1, "v1", NOW)))

    def schema(*since: str) -> Any:
        releases = [{**entry, "since": each} for entry, each in zip(KEPT, since, strict=True)]
        records = {"live": Remembered(LIVE), "releases": Remembered(releases), "schema": Remembered(lost)}
        return recall(records, host, "2027-01-01T00:00:00Z").facts["schema"]

    assert schema("2026-12-01T00:00:00Z", "2026-11-01T00:00:00Z") == lost
    assert schema("2026-12-02T00:00:00Z", "2026-12-01T00:00:00Z") == SCHEMA


def test_what_a_release_can_not_live_with() -> None:
    foreign = ["shop.0007_drop_slug", "shop.0008_add_note"]
    assert unsafe(foreign, SCHEMA, []) == ["shop.0007_drop_slug"]
    assert unsafe(foreign, SCHEMA, ["shop.0007_drop_slug"]) == []
    assert unsafe(foreign, {LOST: "lost"}, ["shop.0008_add_note"]) == ["shop.0007_drop_slug"]


@pytest.mark.parametrize(
    ("text", "live", "schema"),
    [
        ("@@\n{live}\n@@\n{schema}\n@@\nslots/a\n", V2, SCHEMA),
        ("@@\r\n{live}\r\n@@\r\n\r\n@@\r\nslots/a\r\n", V2, None),
        # A bare host serves nothing.
        ("@@\n\n@@\n\n@@\n", None, None),
        ("@@\n\n@@\n\n@@\nslots/a\n", "unknown", None),
        ('@@\n{{"release": \n@@\n{{"x"\n@@\nslots/a\n', "unknown", {LOST: "the record of what it does is damaged"}),
        ("", "unknown", None),
        ("sudo: a password is required\n", "unknown", None),
    ],
)
def test_a_peer(text: str, live: str | None, schema: Any) -> None:
    """One that can't be understood may serve anything."""
    found = peer(text.format(live=json.dumps(LIVE), schema=json.dumps(SCHEMA)))
    assert ((found["live"] or {}).get("release"), found["schema"]) == (live, schema)
