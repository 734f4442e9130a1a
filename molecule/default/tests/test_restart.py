"""The host is restarted: the site comes back by itself, with all that people left there."""

from __future__ import annotations

import asyncio
import subprocess
import time

import requests
from behaviour.picture import portrait
from behaviour.platforms import Platform
from behaviour.visitor import Site, Visitor
from testinfra.host import Host

# From power-on to serving; the machine that tests may be busy.
BOOT_SECONDS = 120


def test_the_site_comes_back_by_itself(site: Site, vm: Host, vm_name: str, platform: Platform) -> None:
    ada = Visitor(site)
    room = ada.open_room()
    picture = portrait((30, 90, 160), (250, 230, 200))
    path = ada.upload_avatar(picture)

    async def say(last: int, text: str) -> int:
        async with ada.chat(room, last_sequence=last) as here:
            return await here.say(text)

    assert asyncio.run(say(0, "before")) == 1
    before = platform.start

    subprocess.run(["docker", "restart", "--time", "60", vm_name], check=True, capture_output=True)
    deadline = time.monotonic() + BOOT_SECONDS
    while True:
        try:
            answer = site.get("/api/health/ready/", timeout=5)
            if answer.status_code == 200:
                break
            reason = f"{answer.status_code} {answer.text}"
        except requests.RequestException as problem:
            reason = str(problem)
        assert time.monotonic() < deadline, f"not ready {BOOT_SECONDS} s after the restart: {reason}"
        time.sleep(1)

    assert vm.check_output("systemctl is-system-running --wait") == "running"
    assert platform.start != before
    assert ada.me() == ada.user | {"avatar_url": path}
    assert site.get(path).content == picture
    assert asyncio.run(say(1, "after")) == 2
