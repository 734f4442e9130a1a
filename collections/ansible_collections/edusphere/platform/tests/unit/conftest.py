"""What the unit tests of edusphere.platform share."""

from __future__ import annotations

from depth import pytest_collection_modifyitems
from unit_fixtures import client, host_image

# Fixtures and a hook that pytest finds here.
__all__ = ["client", "host_image", "pytest_collection_modifyitems"]
