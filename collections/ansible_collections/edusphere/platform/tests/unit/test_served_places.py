"""Where nginx is told to look for files, by edusphere.platform.served_places."""

from __future__ import annotations

import pytest
from ansible_collections.edusphere.platform.plugins.filter.served_places import served_places

SHARED = ["media", "data/exports"]
Expected = list[tuple[str, str, str]]


@pytest.mark.parametrize(
    ("path", "directory", "expected"),
    [
        pytest.param("/media/", "media", [("/media/", "/shared/media", "/shared/media")], id="shared"),
        pytest.param("/a/", "media/avatars", [("/a/", "/shared/media/avatars", "/shared/media")], id="in a shared one"),
        pytest.param(
            "/a", "media/", [("/a", "/shared/media", "/shared/media")], id="without and with a slash at the end"
        ),
        pytest.param("/m/", "media2", [("/m/", "/releases/v1/media2", "/releases")], id="of the release, named alike"),
        pytest.param(
            *("/data/", "data"),
            [
                ("/data/", "/releases/v1/data", "/releases"),
                ("/data/exports/", "/shared/data/exports", "/shared/data/exports"),
            ],
            id="around a shared one",
        ),
        pytest.param(
            *("/d", "data"),
            [
                ("/d", "/releases/v1/data", "/releases"),
                ("/d/exports/", "/shared/data/exports", "/shared/data/exports"),
            ],
            id="around a shared one, without a slash at the end",
        ),
    ],
)
def test_a_place(path: str, directory: str, expected: Expected) -> None:
    """No link is on the way to its files below the part that only a deployment can change."""
    found = served_places([{"path": path, "directory": directory}], "/releases/v1", SHARED, "/shared")
    assert [(place["path"], place["files"], place["within"]) for place in found] == expected


def test_the_order_is_kept() -> None:
    places = [{"path": f"/{name}/", "directory": name} for name in ("b", "media", "a")]
    assert [place["path"] for place in served_places(places, "/releases/v1", SHARED, "/shared")] == [
        "/b/",
        "/media/",
        "/a/",
    ]
