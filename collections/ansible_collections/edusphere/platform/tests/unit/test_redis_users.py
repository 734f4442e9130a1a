"""The passwords of a Redis that change in two steps, and what a server lacks of them."""

from __future__ import annotations

from hashlib import sha256

import pytest
from ansible_collections.edusphere.platform.plugins.filter.redis_needs import redis_needs
from ansible_collections.edusphere.platform.plugins.filter.redis_users import redis_users

OLD, NEW, THIRD = "an old 'password' é", "a new one", "a third one"


def hashed(*passwords: str) -> str:
    return " ".join(f"#{sha256(password.encode()).hexdigest()}" for password in passwords)


def test_the_first_password() -> None:
    assert redis_users(OLD) == f"user default on ~* &* +@all {hashed(OLD)}\n"


def test_another_password_leaves_the_one_before_valid_until_it_is_the_only_one() -> None:
    both = redis_users(NEW, there=redis_users(OLD))
    assert both.endswith(f" {hashed(NEW, OLD)}\n")
    assert redis_users(NEW, there=both) == both
    assert redis_users(NEW, there=both, only=True) == redis_users(NEW)


def test_a_change_that_failed_and_another_one_leave_what_serves_its_password() -> None:
    assert redis_users(THIRD, there=redis_users(NEW, there=redis_users(OLD))).endswith(f" {hashed(THIRD, NEW, OLD)}\n")


def test_a_change_that_is_taken_back() -> None:
    there = redis_users(OLD, there=redis_users(NEW, there=redis_users(OLD)))
    assert there.endswith(f" {hashed(OLD, NEW)}\n")
    assert redis_users(OLD, there=there, only=True) == redis_users(OLD)


def test_an_old_server_knows_no_rights_on_channels() -> None:
    """Redis 6.0 does not start with them, and 7.0 would refuse all channels without."""
    assert "&*" not in redis_users(OLD, channels=False)


@pytest.mark.parametrize(
    ("answer", "needs"),
    [
        (f"user default on sanitize-payload {hashed(OLD, NEW)} ~* &* +@all\nuser another off -@all", "none"),
        (f"user default on {hashed(NEW)} ~* +@all", "load"),
        (f"user default on {hashed(NEW, OLD, THIRD)} ~* &* +@all", "load"),
        ("NOAUTH Authentication required.", "restart"),
        ("user default on nopass ~* &* +@all", "restart"),
        ("", "restart"),
    ],
)
def test_what_a_server_needs(answer: str, needs: str) -> None:
    assert redis_needs(answer, redis_users(NEW, there=redis_users(OLD))) == needs
