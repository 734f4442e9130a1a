"""Which built files count as hashed: those that nginx lets browsers keep for a year."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

PROGRAM = Path(__file__).parents[3] / "roles/release/files/link_hashed.py"


def load() -> ModuleType:
    """The program, as a module."""
    spec = importlib.util.spec_from_file_location("link_hashed", PROGRAM)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


link_hashed = load()
# As Vite 5 writes it, with one entry for each thing that is worth one.
MANIFEST: dict[str, Any] = {
    "index.html": {
        "file": "assets/index-homepage.js",  # eight letters may be a hash
        "name": "index",
        "src": "index.html",
        "isEntry": True,
        "imports": ["_vendor-BrAnDnEw.js"],
        "css": ["assets/index-A-b_c3Xy.css"],
        "assets": ["assets/hero-homepage-qqqqqqqq.jpg"],
    },
    "_vendor-BrAnDnEw.js": {"file": "assets/vendor-BrAnDnEw.js", "name": "vendor"},
    "src/hero-homepage.jpg": {"file": "assets/hero-homepage-qqqqqqqq.jpg", "src": "src/hero-homepage.jpg"},
    # What a project has named without a hash.
    "src/inter-semibold.woff2": {"file": "assets/inter-semibold.woff2", "src": "src/inter-semibold.woff2"},
    "src/main-entrance.ts": {"file": "assets/main-entrance.js", "name": "main-entrance", "src": "src/main-entrance.ts"},
    "node_modules/pdfjs-dist/build/pdf.worker.min.mjs": {
        "file": "assets/pdf.worker.min-aaaaaaaa.mjs",
        "src": "node_modules/pdfjs-dist/build/pdf.worker.min.mjs",
    },
    "style.css": {"file": "assets/style.bbbbbbbb.css", "src": "style.css"},
}
BY_MANIFEST = {
    "assets/index-homepage.js",
    "assets/index-A-b_c3Xy.css",
    "assets/hero-homepage-qqqqqqqq.jpg",
    "assets/vendor-BrAnDnEw.js",
    "assets/pdf.worker.min-aaaaaaaa.mjs",
    "assets/style.bbbbbbbb.css",
}


def test_what_the_manifest_knows() -> None:
    """Names that it lists and that are not those of sources or chunks."""
    assert link_hashed.named_by_vite(MANIFEST) == BY_MANIFEST


def test_what_the_manifest_does_not_know() -> None:
    """Of files that Vite only copies, and of workers, which it leaves out, names tell; a map is as its file."""
    files = [*BY_MANIFEST, "assets/index-homepage.js.map", "assets/worker-Dq3xY_9k.js", "assets/team-homepage.jpg"]
    assert link_hashed.hashed(files, MANIFEST) == {*files} - {"assets/team-homepage.jpg"}


@pytest.mark.parametrize(
    "name",
    [
        "index-Dq3xY_9k.js",
        "index.06d14ce2.js",
        "a/b/pdf.worker.min-qW7K2z1L.mjs",
        "index-Dq3xY_9k.js.map",
        "x-4f3a9b1c.css",
    ],
)
def test_names_that_surely_have_a_hash(name: str) -> None:
    assert link_hashed.hashed([name], {}) == {name}


@pytest.mark.parametrize(
    "name",
    [
        *(
            "hero-homepage.jpg",
            "inter-semibold.woff2",
            "Inter-SemiBold.woff2",
            "team-HomePage.jpg",
            "a-iPhone15ProMax.png",
        ),
        *("report-20240115.pdf", "holiday-summer2024.jpg", "holiday-Summer24.jpg", "report-Page10Of12.pdf"),
        *("banner-1920x1080.jpg", "swatch-ff00aa80.png", "swatch-deadbeef.png", "v-c0ffee00.png", "build-12345678.js"),
        *(
            "index.js",
            "index-Dq3xY9k.js",
            "Dq3xY_9k.js",
            "-Dq3xY_9k.js",
            "jquery-3.7.1.min.js",
            "a-Dq3x Y_9k.js",
            "a-Dq3xY.9k.js",
        ),
    ],
)
def test_names_that_only_may_have_one(name: str) -> None:
    """Words, dates, sizes, colours and versions, and what has nothing before it."""
    assert link_hashed.hashed([name, f"assets/{name}"], {}) == set()


WORDS = [
    "home",
    "page",
    "Semi",
    "Bold",
    "Image",
    "hero",
    "USA",
    "Photo",
    "night",
    "final",
    "Draft",
    "copy",
    "Team",
    "small",
]


@given(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=4),
    st.sampled_from(["", "1", "24", "2024", "20240115", "720"]),
)
def test_words_and_a_number_are_no_hash(words: list[str], number: str) -> None:
    assert not link_hashed.is_surely_a_hash("".join(words) + number)


@given(
    st.recursive(st.none() | st.integers() | st.text(), lambda each: st.lists(each) | st.dictionaries(st.text(), each))
)
def test_any_manifest_is_read(content: Any) -> None:
    """It is the application's, or another file by that name."""
    entries = {"a": content, "b": {"file": content, "css": content, "assets": content, "name": content, "src": content}}
    assert link_hashed.hashed(["hero-homepage.jpg"], entries) <= {"hero-homepage.jpg"}


@pytest.mark.parametrize("place", [".vite/manifest.json", "manifest.json"])
def test_the_program(tmp_path: Path, place: str) -> None:
    """It links files, no links, and starts anew."""
    built, linked = tmp_path / "dist", tmp_path / "hashed"
    for name in (*BY_MANIFEST, "index.html", "assets/hero-homepage.jpg", place):
        (built / name).parent.mkdir(parents=True, exist_ok=True)
        (built / name).write_text(json.dumps(MANIFEST))
    (built / "assets/link-Dq3xY_9k.js").symlink_to("/etc/passwd")
    (built / "link").symlink_to("..")
    linked.symlink_to(built)
    for _ in range(2):
        subprocess.run([sys.executable, "-", built, linked], input=PROGRAM.read_text(), text=True, check=True)
        found = {str(path.relative_to(linked)) for path in linked.rglob("*") if not path.is_dir()}
        assert found == BY_MANIFEST
        assert all((linked / name).samefile(built / name) for name in found)
        (linked / "assets/old.js").touch()


@pytest.mark.parametrize("content", ["", "[]", "{", '{"name": "App", "icons": [{"src": "a.png"}]}', "\ufeff{}"])
def test_no_manifest(tmp_path: Path, content: str) -> None:
    """A web application's has the same name, and an empty or broken one is none."""
    (tmp_path / "dist/assets").mkdir(parents=True)
    (tmp_path / "dist/assets/a-Dq3xY_9k.js").touch()
    (tmp_path / "dist/manifest.json").write_text(content, encoding="utf-8")
    subprocess.run([sys.executable, PROGRAM, tmp_path / "dist", tmp_path / "hashed"], check=True)
    assert [path.name for path in (tmp_path / "hashed/assets").iterdir()] == ["a-Dq3xY_9k.js"]
