#!/usr/bin/python
# Copyright: (c) 2026, EduSphere maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: migrate
short_description: Migrate the database of a Django project
version_added: "0.1.0"
description:
  - Brings the database of a project to the state of its migrations, or to a named one, forward or backward.
  - The plan is that of Django's own migration graph, in check mode too. The run is that of Django's own C(migrate)
    command, with its checks and its C(pre_migrate) and C(post_migrate) signals.
  - On PostgreSQL, an advisory lock makes sure that of several hosts at once one applies the plan. The others wait, find
    nothing left to do, and report no change.
  - When nothing is pending, nothing is sent to the database but the question.
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
  app_label:
    description:
      - Migrate this app and what it depends on, instead of all apps.
    type: str
  migration_name:
    description:
      - Bring O(app_label) to the state after this migration, or V(zero) to unapply all of its migrations. A unique
        beginning of the name is enough.
    type: str
  fake:
    description:
      - Record the migrations without running them.
    type: bool
    default: false
  fake_initial:
    description:
      - Record an initial migration without running it where its tables exist already.
    type: bool
    default: false
  lock_wait:
    description:
      - Seconds to wait for another session that is migrating the same database (PostgreSQL), before the task fails.
    type: int
    default: 300
notes:
  - The lock belongs to a session. Through a pooler that gives transactions rather than sessions, such as PgBouncer with
    C(pool_mode=transaction), it can't hold; let migrations connect to PostgreSQL itself.
seealso:
  - module: edusphere.django.collectstatic
  - name: Django's migrate command
    description: What the options mean.
    link: https://docs.djangoproject.com/en/stable/ref/django-admin/#migrate
"""

EXAMPLES = r"""
- name: Migrate the database from the new release
  edusphere.django.migrate:
    project_dir: /srv/shop/releases/2024-05-01
    python: .venv/bin/python
    environment_file: /etc/shop/app.env
    user: shop
  run_once: true
  become: true

- name: Take the blog back to its second migration
  edusphere.django.migrate:
    project_dir: /srv/shop/current
    python: /srv/shop/current/.venv/bin/python
    settings: shop.settings.production
    environment:
      DATABASE_URL: "{{ shop_database_url }}"
    app_label: blog
    migration_name: "0002"

- name: See what a migration would do
  edusphere.django.migrate:
    project_dir: /srv/shop/current
    python: .venv/bin/python
    settings: shop.settings
  check_mode: true
  register: shop_migrations
"""

RETURN = r"""
unknown:
  description:
    - Whether the result could not be known, because something that a run needs does not exist yet. Only in check mode,
      with RV(ignore:changed=true) and the reason in RV(ignore:msg); no other value is returned then.
  type: bool
  returned: success
plan:
  description: The migrations that are to be run, in their order, as calculated under the lock.
  type: list
  elements: dict
  returned: success
  contains:
    app:
      description: Label of the app.
      type: str
      sample: blog
    name:
      description: Name of the migration.
      type: str
      sample: 0002_article_slug
    direction:
      description: V(forward) or V(backward).
      type: str
      sample: forward
    operations:
      description: What the migration does, in Django's words.
      type: list
      elements: str
      sample: ["Add field slug to article"]
recorded:
  description: Squashed migrations that are recorded as applied, since all that they replace are.
  type: list
  elements: str
  returned: success
  sample: ["blog.0001_squashed_0004"]
resumed:
  description:
    - Whether an earlier run of this module was stopped after its first migration and before the end of its
      C(post_migrate) signals. Then this one sends them, though nothing may be pending any more. Known on PostgreSQL
      only, by a comment on the table C(django_migrations) while a run lasts.
  type: bool
  returned: success
applied:
  description: The migrations that this run applied. Empty in check mode.
  type: list
  elements: dict
  returned: always, unless nothing was asked of the database
  contains:
    app:
      description: Label of the app.
      type: str
      sample: blog
    name:
      description: Name of the migration.
      type: str
      sample: 0002_article_slug
    seconds:
      description: How long it took.
      type: float
      sample: 0.127
    fake:
      description: Whether it was only recorded.
      type: bool
unapplied:
  description: The migrations that this run took back, with the same keys as RV(applied).
  type: list
  elements: dict
  returned: always, unless nothing was asked of the database
pending:
  description: All migrations of the project that this database lacks after the run; in check mode, would lack.
  type: list
  elements: str
  returned: success, and failure where the database could still tell
  sample: ["blog.0003_comment"]
failed_migration:
  description: The migration that failed, or that was running when the time was up.
  type: str
  returned: failure in a migration
  sample: blog.0003_comment
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

from ansible_collections.edusphere.django.plugins.module_utils.probe import migrate as probe
from ansible_collections.edusphere.django.plugins.module_utils.project import ProjectModule
from ansible_collections.edusphere.django.plugins.module_utils.transport import Reply

ARGUMENTS: dict[str, dict[str, Any]] = {
    "database": {"type": "str", "default": "default"},
    "app_label": {"type": "str"},
    "migration_name": {"type": "str"},
    "fake": {"type": "bool", "default": False},
    "fake_initial": {"type": "bool", "default": False},
    "lock_wait": {"type": "int", "default": 300},
}


class MigrateModule(ProjectModule):
    """The module, with what it can say of a run that failed half-way."""

    def partial(self, reply: Reply) -> dict[str, Any]:
        """Return what was done before the error, what failed, and what is left."""
        results: dict[str, Any] = dict(steps(reply))
        results["changed"] = bool(results["applied"] or results["unapplied"])
        running = None
        for frame in reply.frames:
            if frame["event"] == "started":
                running = "{app}.{name}".format(**frame)
            elif frame["event"] in ("applied", "unapplied"):
                running = None
            elif frame["event"] == "pending":
                results["pending"] = frame["pending"]
        if running:
            results["failed_migration"] = running
        return results

    def fail(self, message: str, **results: Any) -> Any:
        """End with an error that begins with the migration that failed."""
        if results.get("failed_migration"):
            message = f"{results['failed_migration']}: {message}"
        super().fail(message, **results)


def steps(reply: Reply) -> dict[str, list[dict[str, Any]]]:
    """Return the migrations that were applied and unapplied, in their order."""
    return {
        event: [
            {key: frame[key] for key in ("app", "name", "seconds", "fake")}
            for frame in reply.frames
            if frame["event"] == event
        ]
        for event in ("applied", "unapplied")
    }


def difference(result: dict[str, Any], database: str) -> dict[str, str]:
    """Return the applied migrations before and after, for ``--diff``."""
    header = f"applied migrations of the database {database}"
    return {
        "before_header": header,
        "after_header": header,
        "before": "".join(f"{name}\n" for name in result["history_before"]),
        "after": "".join(f"{name}\n" for name in result["history_after"]),
    }


def main() -> None:
    """Run the module."""
    this = MigrateModule(ARGUMENTS)
    if this.parameters["migration_name"] and not this.parameters["app_label"]:
        this.fail("migration_name: also give the app_label whose migration it is")
    reply = this.ask(probe, {name: this.parameters[name] for name in ARGUMENTS})
    result = reply.frames[-1]["result"]
    this.succeed(
        diff=difference(result, this.parameters["database"]),
        changed=result["changed"],
        plan=result["plan"],
        recorded=result["recorded"],
        resumed=result["resumed"],
        pending=result["pending"],
        **steps(reply),
    )


if __name__ == "__main__":
    main()
