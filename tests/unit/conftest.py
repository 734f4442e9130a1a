"""What the unit tests of roles and templates share."""

from __future__ import annotations

from depth import pytest_collection_modifyitems
from unit_fixtures import client, host_image

# Fixtures and a hook that pytest finds here.
__all__ = ["client", "host_image", "pytest_collection_modifyitems"]
