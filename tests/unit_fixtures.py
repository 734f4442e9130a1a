"""What the unit tests of this repository and of its collections share; each of their conftest.py imports it."""

from __future__ import annotations

import subprocess

import own_collections  # noqa: F401 for its effect
import pytest
from engine import IMAGE, compose_client


@pytest.fixture(scope="session")
def host_image() -> str:
    """The image of a bare Debian 13 machine."""
    if subprocess.run(["docker", "image", "inspect", IMAGE], capture_output=True, check=False).returncode:
        pytest.fail("these tests need a Docker engine with the images of test hosts: scripts/testbed up", pytrace=False)
    return IMAGE


@pytest.fixture(scope="session")
def client(host_image: str) -> dict[str, str]:
    """The environment in which docker's client has Compose 2."""
    assert host_image
    return compose_client()
