"""What `make test` and `make test-all` run, in which order, and what they remember."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from runner.jobs import CatalogueError, Job, catalogue, jobs, left_for_all, scenarios
from runner.results import Result, Row, left_out, of_settings, read, still_good, table, write
from runner.schedule import hopeless, next_job, number_of_jobs, ordered, places
from runner.tree import ROOT, digest, selected

ENTRIES = """
one:
  promise: this
  target: test
  seconds: {test: 10, test-all: 30}
two:
  promise: that
  target: test-all
  start: deployed
  mode: compose
  work: waits
  shares: [one]
  seconds: {test-all: 20}
"""


def job(name: str, seconds: int = 1, **values: object) -> Job:
    """A job of which only some things matter."""
    return Job(name, ["true"], seconds, ["./"], **values)  # type: ignore[arg-type]


def names(found: list[Job]) -> list[str]:
    """Of the jobs, in their order."""
    return [each.name for each in found]


def test_targets() -> None:
    """`make test` has no scenario that only `make test-all` has, and says so."""
    found = scenarios(ENTRIES, ["one", "two"])
    quick, whole = names(jobs("test", found)), names(jobs("test-all", found))
    assert ("one" in quick, "two" in quick, "hosts-compose" in quick) == (True, False, False)
    assert set(whole) - set(quick) == {"two", "hosts-compose"}
    assert {"lint-ansible", "lint-others", "sanity", "unit", "e2e", "testbed"} <= set(quick)
    assert left_for_all(found) == ["two: that"]


def test_what_a_scenario_depends_on_and_needs() -> None:
    found = {each.name: each for each in jobs("test-all", scenarios(ENTRIES, ["one", "two"]))}
    assert {"roles/", "molecule/one/", "molecule/two/", "molecule/shared/"} <= set(found["two"].depends)
    assert "molecule/two/" not in found["one"].depends
    assert (found["two"].needs, found["two"].after, found["two"].waits) == (["testbed"], ["hosts-compose"], True)
    assert (found["one"].needs, found["one"].after, found["one"].waits) == (["testbed"], [], False)
    # What is waited for is a job of the same run.
    assert {name for each in found.values() for name in (*each.needs, *each.after)} <= set(found)


def test_who_makes_a_bare_host_a_site_keeps_it_for_others() -> None:
    found = scenarios(ENTRIES + ENTRIES.replace("one", "compose").split("two:")[0], ["one", "two", "compose"])
    whole = {each.name: each for each in jobs("test-all", found)}
    assert whole["two"].after == ["compose"]
    assert whole["compose"].early
    assert "hosts-compose" not in whole


def test_some_scenarios_bring_what_they_need_and_no_more() -> None:
    found = scenarios(ENTRIES, ["one", "two"])
    assert set(names(jobs("test-all", found, ["two"]))) == {"testbed", "hosts-compose", "two"}
    with pytest.raises(CatalogueError, match="no such scenario: three; there are one, two"):
        jobs("test-all", found, ["three"])


def test_a_wrong_catalogue_tells_everything_at_once() -> None:
    wrong = (
        "one: {promise: this, target: nightly, sekonds: {}}\n"
        "three: {promise: x, target: test, seconds: {test: 1}, shares: [four]}\n"
    )
    with pytest.raises(CatalogueError) as told:
        scenarios(wrong, ["one", "two"])
    for part in (
        "two: has no entry",
        "three: is no scenario",
        "one: sekonds is no field",
        "one: seconds is missing",
        "one: target is nightly, and can be test, test-all",
        "three: seconds has test, and must have test, test-all",
        "three: shares four, which is no scenario",
    ):
        assert part in str(told.value)


def test_the_catalogue_fits_the_scenarios() -> None:
    assert len(catalogue()) > 15


def test_a_scenario_depends_on_every_file_that_it_names() -> None:
    """Of another scenario, and of the tests' own; or a run would be good that was made with others."""
    found = {each.name: each for each in jobs("test-all", catalogue())}
    for name in [each.name for each in catalogue()]:
        files = [path for path in (ROOT / "molecule" / name).rglob("*") if path.suffix in (".yml", ".py")]
        named = "\n".join(path.read_text() for path in files)
        taken = {f"molecule/{other}/" for other in re.findall(r"\.\./([a-z0-9-]+)/", named) if other in found}
        taken |= set(re.findall(r"\btests/(?:stub/|[\w.-]+\.lock)", named))
        assert taken <= set(found[name].depends), name


def test_order() -> None:
    """What failed last, with what it needs; then what is early; then the longest."""
    image, failed = job("image", 2, early=True), job("failed", 3, needs=["image"])
    found = [job("short", 5), job("early", 1, early=True), image, job("long", 9), failed]
    assert names(ordered(found, {"failed"})) == ["image", "failed", "early", "long", "short"]
    assert names(ordered(found, set())) == ["image", "early", "long", "short", "failed"]


@pytest.mark.parametrize(
    ("processors", "memory", "wanted", "found"),
    [(2, 20_000_000, None, 3), (8, 6_500_000, None, 2), (2, 1_000_000, None, 1), (2, 20_000_000, 1, 1), (2, 1, 5, 5)],
)
def test_places(processors: int, memory: int, wanted: int | None, found: int) -> None:
    assert places(processors, memory, wanted) == found


def test_number_of_jobs() -> None:
    assert (number_of_jobs(""), number_of_jobs("3")) == (None, 3)
    for wrong in ("two", "0", "-1", "1.5"):
        with pytest.raises(ValueError, match=f"JOBS is {wrong}, and must be a number from 1"):
            number_of_jobs(wrong)


def test_next_job() -> None:
    """Jobs wait for what they need and for a place; what waits takes half of one."""
    first, second, lazy = job("first"), job("second", needs=["first"]), job("lazy", waits=True)
    assert next_job([second, first], [], {}, 2) is first
    assert next_job([second], [first], {}, 2) is None
    assert next_job([second], [], {"first": True}, 2) is second
    assert next_job([second], [], {"first": False}, 2) is None
    later = job("later", after=["first"])
    assert next_job([later], [first], {}, 2) is None
    assert next_job([later], [], {"first": False}, 2) is later
    # A need that is no part of this run has passed before.
    assert next_job([second], [], {}, 2) is second
    assert next_job([job("third")], [first, lazy], {}, 2) is None
    assert next_job([job("third", waits=True)], [first, lazy], {}, 2) is not None
    assert next_job([job("third"), lazy], [first, job("other", waits=True)], {}, 2) is lazy


def test_what_needs_a_failed_job_is_not_run() -> None:
    assert names(hopeless([job("a", needs=["x"]), job("b", needs=["y"])], {"x": False, "y": True})) == ["a"]


def test_patterns() -> None:
    files = ["a/b", "a/c/d", "ab", "e"]
    assert selected(files, ["a/"]) == ["a/b", "a/c/d"]
    assert selected(files, ["a/", "!a/c/"]) == ["a/b"]
    assert selected(files, ["./", "!e"]) == ["a/b", "a/c/d", "ab"]
    assert selected(files, ["ab"]) == ["ab"]


def test_digest(tmp_path: Path) -> None:
    """Another content, name or mode is another digest, committed or not; what is ignored or elsewhere doesn't count."""
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    (tmp_path / "a").mkdir()
    (tmp_path / "a/file").write_text("one")
    (tmp_path / ".gitignore").write_text("ignored\n")
    found = [digest(["a/"], root=tmp_path)]

    def again() -> None:
        found.append(digest(["a/"], root=tmp_path))

    (tmp_path / "elsewhere").write_text("x")
    (tmp_path / "a/ignored").write_text("x")
    again()
    assert found[0] == found[1]
    (tmp_path / "a/file").write_text("two")
    again()
    (tmp_path / "a/file").chmod(0o755)
    again()
    (tmp_path / "a/file").rename(tmp_path / "a/other")
    again()
    (tmp_path / "a/link").symlink_to("other")
    again()
    assert len(set(found[1:])) == 5
    assert digest(["a/"], "word", root=tmp_path) != found[-1]


def test_a_directory_without_git_is_told(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="not a git repository"):
        digest(["./"], root=tmp_path)


def test_a_result_holds_for_its_settings() -> None:
    assert of_settings({"ROLLING_LOAD": "0.2", "ROLLING_SOAK": "", "HOME": "/root"}) == ["ROLLING_LOAD=0.2"]


def test_results_outlive_a_run_that_is_cut_short(tmp_path: Path) -> None:
    file = tmp_path / "state/results.json"
    assert read(file) == {}
    results = {"a": Result("passed", 3, "x"), "b": Result("failed", 4, "y")}
    write(file, results)
    assert read(file) == results
    for damaged in (file.read_text()[:20], "[]", "null", '{"a": {"outcome": "passed"}}'):
        file.write_text(damaged)
        assert read(file) == {}


def test_what_passed_on_the_same_files_is_still_good() -> None:
    results = {"a": Result("passed", 3, "x"), "b": Result("failed", 4, "y"), "c": Result("passed", 1, "old")}
    assert still_good(results, {"a": "x", "b": "y", "c": "new", "d": "z"}) == {"a"}


def test_what_is_printed() -> None:
    assert table([Row("a", "passed", 3), Row("longer", "not run")], 7).splitlines() == [
        "  a             3  passed",
        "  longer           not run",
        "  together      7",
    ]
    assert left_out(["x", "y", "x"]) == "  - x\n  - y"
