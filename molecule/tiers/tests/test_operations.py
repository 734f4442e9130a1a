"""What an operator does with a site that runs."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from behaviour.hosts import ROOT, playbook
from behaviour.visitor import Site
from testinfra.host import Host

RELEASES_OF = """
import json
read = lambda name: json.load(open(f"/srv/edusphere/records/{name}.fact"))
print(json.dumps([read("live")["release"], read("pages")["release"], [each["release"] for each in read("releases")]]))
"""
CHANGED = re.compile(r"^\S+ +: ok=\d+ +changed=(\d+)", re.M)


def changes(recap: str) -> int:
    """How many tasks changed something, on all hosts together."""
    counts = CHANGED.findall(recap)
    assert counts, recap
    return sum(map(int, counts))


def block(table: str, host: str) -> dict[str, str]:
    """What the table of status.yml says of one host, by its labels."""
    found = re.search(rf"^ *Host +{re.escape(host)}$", table, re.M)
    assert found, table
    rows = table[found.start() :].partition("\n\n")[0].splitlines()
    return {row.split(maxsplit=1)[0]: row.split(maxsplit=1)[1].strip() for row in rows}


def test_overlay_module_is_in_force(site: Site) -> None:
    assert site.get("/api/version/").headers["Referrer-Policy"] == "no-referrer"


def test_service_accounts_have_one_number(connect: Callable[[str], Host]) -> None:
    """Or the owner of a shared file would be another account on the other host."""
    assert {connect(name).user("edusphere").uid for name in ("tiers-app1", "tiers-app2")} == {880}


def test_a_redirect_of_nginx_names_no_host(site: Site) -> None:
    """On the front it would be the front's port, which nobody outside reaches."""
    assert site.get("/admin").headers["Location"] == "/admin/"


def test_status() -> None:
    run = playbook(name="playbooks/status.yml")
    assert changes(run.stdout) == 0
    app, edge, database = (block(run.stdout, f"tiers-{name}") for name in ("app1", "edge", "database"))
    assert (app["Tiers"], app["Health"], app["Migrations"]) == ("app", "ready", "none pending")
    assert re.fullmatch(r"nginx running, edusphere-backend@[ab] running", app["Services"])
    assert re.fullmatch(r"until \d{4}-\d\d-\d\d", edge["Certificate"])
    assert re.fullmatch(r"postgresql@\d+-main running", database["Services"])


def test_migrate_has_nothing_to_do() -> None:
    run = playbook(name="playbooks/migrate.yml")
    assert changes(run.stdout) == 0
    assert "Nothing is pending." in run.stdout


def test_superuser_is_made_once() -> None:
    assert changes(playbook("--diff", name="playbooks/superuser.yml").stdout) == 1
    run = playbook("--diff", name="playbooks/superuser.yml")
    assert changes(run.stdout) == 0
    assert "test-only-Superuser-1" not in run.stdout


@contextmanager
def visited(site: Site) -> Iterator[list[tuple[str, object]]]:
    """What was asked of the site, one thing after the other as long as the context lasts, and not answered well."""
    wrong: list[tuple[str, object]] = []
    over = threading.Event()

    def ask(path: str) -> str:
        try:
            answer = site.get(path)
        except OSError as error:
            wrong.append((path, error))
            return ""
        if answer.status_code != 200:
            wrong.append((path, answer.status_code))
        return answer.text

    def visit() -> None:
        while not over.is_set():
            for script in re.findall(r'src="(/assets/[^"]+)"', ask("/")):
                ask(script)
            ask("/api/version/")

    visitor = threading.Thread(target=visit)
    visitor.start()
    try:
        yield wrong
    finally:
        over.set()
        visitor.join()


def test_an_upgrade_goes_from_host_to_host_and_back(site: Site, connect: Callable[[str], Host], tmp_path: Path) -> None:
    """Whatever front answers, a page's scripts are there."""
    subprocess.run([ROOT / "examples/assemble", "v2", tmp_path / "v2"], check=True)
    wishes = {
        "edusphere_app_source_type": "folder",
        "edusphere_app_source": str(tmp_path / "v2"),
        "edusphere_version": "v2",
    }
    page = site.get("/").text
    for name, arguments, number in (
        ("upgrade", [f"--extra-vars={json.dumps(wishes)}"], "2.0.0"),
        ("rollback", [], "1.0.0"),
    ):
        with visited(site) as wrong:
            playbook(*arguments, name=f"playbooks/{name}.yml")
        assert not wrong
        assert {site.get("/api/version/").json()["version"] for _ in range(4)} == {number}
        assert (site.get("/").text == page) == (name == "rollback")
        releases = {connect(host).check_output("python3 -c %s", RELEASES_OF) for host in ("tiers-app1", "tiers-app2")}
        # What serves, whose pages are served, and what is kept, on both.
        assert len(releases) == 1
        assert len(set(json.loads(releases.pop())[:2])) == 1
        assert "backup" not in connect("tiers-edge").file("/etc/nginx/edusphere-fronts.conf").content_string
    table = playbook(name="playbooks/status.yml").stdout
    assert re.search(r": deploy v2 by \S+, [\d.]+ s, done", table), table
    assert re.search(r": rollback v1 by \S+, [\d.]+ s, done", table), table


def test_teardown_wants_the_right_name() -> None:
    run = playbook("--extra-vars", "edusphere_teardown_data=another", name="playbooks/teardown.yml", check=False)
    assert run.returncode != 0
    assert "the site's name is edusphere" in " ".join(run.stdout.split())
    assert changes(run.stdout) == 0
