"""Where shared directories are."""

from __future__ import annotations

from ansible_collections.edusphere.platform.plugins.filter.shared_places import shared_places

VOLUMES = {"media": "media", "data_private": "data/private", "logs": "logs"}


def test_on_the_host() -> None:
    """What is below a served directory is served with it; what has a served one in it is not, as a whole."""
    places = shared_places(VOLUMES, ["media", "data", "logs/public"], "/srv/shop/shared")
    assert places == [
        "served:/srv/shop/shared/media",
        "served:/srv/shop/shared/data/private",
        "/srv/shop/shared/logs",
    ]


def test_in_volumes() -> None:
    assert shared_places(VOLUMES, ["media"], "/srv/shop/shared", "shop") == [
        "served:volume:shop_media",
        "volume:shop_data_private",
        "volume:shop_logs",
    ]
