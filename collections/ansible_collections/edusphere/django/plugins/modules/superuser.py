#!/usr/bin/python
# Copyright: (c) 2026, EduSphere maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: superuser
short_description: Make sure of a superuser of a Django project
version_added: "0.1.0"
description:
  - Creates a superuser through the manager of the project's own user model, unless there is one of that name.
  - What is not asked for is left as its owner made it, such as the e-mail address of an account that exists.
author:
  - EduSphere maintainers (!UNKNOWN)
extends_documentation_fragment:
  - edusphere.django.project
options:
  database:
    description:
      - Alias of the database in the project's settings.
    type: str
    default: default
  username:
    description:
      - Value of the user model's C(USERNAME_FIELD), whichever that is.
    type: str
    required: true
  password:
    description:
      - The password. Without it, an account is created that nobody can log in to with a password.
    type: str
  fields:
    description:
      - Values of other fields of the user model for an account that is created. Those that C(REQUIRED_FIELDS) names
        must be there.
      - The password has a parameter of its own, O(password).
      - What refers to another object, as a foreign key does, takes its primary key, and a many-to-many field a list of
        them.
    type: dict
    default: {}
  update_password:
    description:
      - With V(on_create), the password of an account that exists is not looked at.
      - With V(always), it is set when it does not match.
    type: str
    choices: [on_create, always]
    default: on_create
  validate_password:
    description:
      - Refuse a password that does not pass the project's C(AUTH_PASSWORD_VALIDATORS). One that is not going to be set
        is not looked at.
      - Django's own C(createsuperuser --noinput) does not ask them.
    type: bool
    default: false
  promote:
    description:
      - Make a superuser of an account of that name that is none. Otherwise that is an error, as anybody may have
        registered it.
    type: bool
    default: false
seealso:
  - module: edusphere.django.migrate
  - name: Django's createsuperuser command
    description: What a superuser is.
    link: https://docs.djangoproject.com/en/stable/ref/django-admin/#createsuperuser
"""

EXAMPLES = r"""
- name: Make sure that there is an administrator
  edusphere.django.superuser:
    project_dir: /srv/shop/current
    python: .venv/bin/python
    environment_file: /etc/shop/app.env
    user: shop
    username: admin
    password: "{{ shop_admin_password }}"
    fields:
      email: admin@shop.example
  become: true
  run_once: true

- name: Keep the password of an administrator that logs in with an e-mail address
  edusphere.django.superuser:
    project_dir: /srv/shop/current
    python: .venv/bin/python
    settings: shop.settings
    username: admin@shop.example
    password: "{{ shop_admin_password }}"
    fields:
      name: Administrator
      team: 1
    update_password: always
    validate_password: true
"""

RETURN = r"""
unknown:
  description:
    - Whether the result could not be known, because something that a run needs does not exist yet. Only in check mode,
      with RV(ignore:changed=true) and the reason in RV(ignore:msg); no other value is returned then.
  type: bool
  returned: success
username:
  description: The name that was asked for.
  type: str
  returned: success
  sample: admin
created:
  description: Whether the account was created.
  type: bool
  returned: success
promoted:
  description: Whether an account that existed was made a superuser.
  type: bool
  returned: success
password_changed:
  description: Whether the password of an account that existed was set.
  type: bool
  returned: success
exception_type:
  description: The Python type of the error.
  type: str
  returned: failure inside the project
  sample: django.db.utils.ProgrammingError
output:
  description: The last 16 KiB of what the project printed, secrets masked.
  type: str
  returned: failure inside the project
"""

from typing import Any

from ansible_collections.edusphere.django.plugins.module_utils.probe import superuser as probe
from ansible_collections.edusphere.django.plugins.module_utils.project import ProjectModule

ARGUMENTS: dict[str, dict[str, Any]] = {
    "database": {"type": "str", "default": "default"},
    "username": {"type": "str", "required": True},
    "password": {"type": "str", "no_log": True},
    # Whoever gives a password here must not find it in a log.
    "fields": {"type": "dict", "default": {}, "no_log": True},
    "update_password": {
        "type": "str",
        "choices": ["on_create", "always"],
        "default": "on_create",
        "no_log": False,
    },
    "validate_password": {"type": "bool", "default": False, "no_log": False},
    "promote": {"type": "bool", "default": False},
}


def difference(username: str, result: dict[str, bool]) -> dict[str, str]:
    """Return what ``--diff`` shows: the account before and after."""
    before = "" if result["created"] else f"account {username}\n"
    after = f"account {username}\n"
    if result["promoted"]:
        before, after = before + "superuser: no\n", after + "superuser: yes\n"
    if result["password_changed"]:
        before, after = before + "password: another\n", after + "password: as given\n"
    return {"before": before, "after": after, "before_header": "superuser", "after_header": "superuser"}


def main() -> None:
    """Run the module."""
    this = ProjectModule(ARGUMENTS)
    if "password" in this.parameters["fields"]:
        this.fail("fields: has a password, which would be stored as it is; give it to the parameter `password`")
    always = this.parameters["update_password"] == "always"  # noqa: S105 - a choice, no password
    if always and not this.parameters["password"]:
        this.fail("password: update_password: always needs one")
    if this.parameters["password"] == "":
        this.fail("password: is empty, and would be one to log in with; give one, or leave it out for none")
    reply = this.ask(probe)
    result: dict[str, bool] = reply.result
    username = this.parameters["username"]
    this.succeed(diff=difference(username, result), changed=any(result.values()), username=username, **result)


if __name__ == "__main__":
    main()
