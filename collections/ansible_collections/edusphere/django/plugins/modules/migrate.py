#!/usr/bin/python
# Copyright: (c) 2026, EduSphere maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: migrate
short_description: Migrate the databases of a Django project
version_added: "0.1.0"
description:
  - Brings a database of a project to the state of its migrations, or to a named one, forward or backward.
  - The plan is that of Django's own migration graph, in check mode too. The run is that of Django's own C(migrate)
    command, with its checks and its C(pre_migrate) and C(post_migrate) signals.
  - On PostgreSQL, an advisory lock makes sure that of several hosts at once one applies the plan. The others wait, find
    nothing left to do, and report no change.
  - When nothing is pending, nothing is sent to the database but the question.
  - Before anything is changed, every migration of the plan is judged for the code that is running meanwhile, on the
    schema as it is now, see O(safety).
author:
  - EduSphere maintainers (!UNKNOWN)
extends_documentation_fragment:
  - edusphere.django.project
options:
  database:
    description:
      - Alias of a database in the project's settings, or a list of them, which are migrated in that order.
      - V(all) stands for every database of the settings in their order, except those that are declared as the mirror of
        another (C(TEST) with C(MIRROR)). What a database lacks on purpose is the matter of the project's database
        routers, as it is for Django.
      - Of several aliases that lead to the same tables, the first is migrated.
    type: list
    elements: str
    default: [default]
  app_label:
    description:
      - Migrate this app and what it depends on, instead of all apps.
    type: str
  migration_name:
    description:
      - Bring O(app_label) to the state after this migration, or V(zero) to unapply all of its migrations. A unique
        beginning of the name is enough.
      - A plan that leads back over an operation without a way back fails before anything is changed.
    type: str
  fake:
    description:
      - Record the migrations without running them.
    type: bool
    default: false
  fake_initial:
    description:
      - Record an initial migration without running it where its tables exist already. In check mode, where they exist
        by now.
    type: bool
    default: false
  prune:
    description:
      - Delete the records of those migrations of O(app_label) that the project doesn't have any more, as after
        squashing, and do nothing else.
    type: bool
    default: false
  run_syncdb:
    description:
      - Also create the tables of the apps that have no migrations; of O(app_label) only, if that is such an app.
      - Nobody keeps a record of them. A table that isn't there is created, and check mode names it; whether a table
        that is there matches its model is not known, and it stays as it is.
    type: bool
    default: false
  sql:
    description:
      - Return the SQL of each migration of the plan, and show it in the diff, as C(sqlmigrate) tells it.
      - What can't be known is said in a comment, as for Python code, and for what depends on the outcome of a migration
        before it. A value that is made for the occasion, such as the present time as the default of a new column, is
        another one in the run.
    type: bool
    default: false
  lock_wait:
    description:
      - Seconds to wait for another session that is migrating the same database (PostgreSQL), before the task fails.
    type: int
    default: 300
  lock_timeout:
    description:
      - Seconds that a statement of a migration may wait for a lock (PostgreSQL). V(0) leaves it to the project.
      - A statement that changes a table waits for everything that is using the table, and everything else waits behind
        it. So behind one long query a migration stops a whole site. With a limit it makes way, and tries again, see
        O(lock_retries).
      - This is the longest that a site may stand still for each attempt. It holds for every session of the run,
        whatever the project sets. A statement with C(CONCURRENTLY) waits without a limit, as nobody waits behind it.
    type: float
    default: 3
  lock_retries:
    description:
      - How often a migration is tried again that a lock timeout or a deadlock has stopped. What it had done until then
        is rolled back by the database. A migration with C(atomic = False) is never tried again.
      - With the defaults, a migration gets about four and a half minutes to find its moment.
    type: int
    default: 10
  lock_retry_pause:
    description:
      - Seconds to wait before the first of the O(lock_retries). Each pause is twice as long as the one before it, and
        none longer than 30 seconds.
    type: float
    default: 1
  statement_timeout:
    description:
      - Seconds that a statement of a migration may take (PostgreSQL). Without it there is no limit but the project's.
      - A migration that is stopped by it is not tried again. C(CREATE INDEX CONCURRENTLY), stopped, leaves an invalid
        index behind.
    type: float
  safety:
    description:
      - What to do about migrations that code on the present schema can't live with, or may not be able to. Such code
        runs until the switch to the new release, and after a switch back.
      - V(warn) migrates with a warning for each; V(enforce) refuses the whole plan, on all databases, before anything
        is changed, in check mode too; V('off') does not judge.
      - A migration is V(compatible) when every SELECT, INSERT, UPDATE and DELETE that models of the present schema can
        make still works, whenever others see what it has changed. Operations of one transaction that take each other
        back cancel out. It is V(incompatible) when it drops or renames a table or a column, adds a column that is
        C(NOT NULL) without C(db_default), makes a column C(NOT NULL), smaller or one of another type, takes its
        C(db_default) away, adds a unique, check or foreign key constraint that rows of running code may not meet, takes
        away the uniqueness of columns that an upsert may name (C(bulk_create) with C(update_conflicts),
        C(INSERT ... ON CONFLICT)), indexes values that may be too long for an index (PostgreSQL), renames a model that
        generic relations may find, can't be applied, or works on a large table as a whole (PostgreSQL, see
        O(safety_large_table)) while it holds locks that running code waits for. It is V(unknown) when it runs Python
        code, SQL that is not known, or operations that are not Django's, and on databases other than PostgreSQL and
        SQLite.
      - Every rule, and what it is based on, is in C(docs/judgement.md) of the collection.
      - Not judged is a database to which no migration has been applied yet, as nothing runs on it, and what is only
        recorded.
      - >-
        A migration that has been reviewed can say so, with the attribute C(deployment_safety) of its class, such as
        C(deployment_safety = "compatible: only fills a column that is new"). It begins with V(compatible) or
        V(incompatible), which replaces the verdict, and goes on with the reason, which is returned.
    type: str
    choices: ['off', warn, enforce]
    default: warn
  safety_unknown:
    description:
      - What V(unknown) counts as.
    type: str
    choices: [incompatible, compatible]
    default: incompatible
  safety_accept:
    description:
      - Migrations that have been reviewed and count as compatible, as V(APP.NAME). For those that can't be edited, of
        other people's apps. One that is not in the plan is of no effect.
    type: list
    elements: str
    default: []
  safety_large_table:
    description:
      - Number of rows, by PostgreSQL's own estimate, from which on a table is too large to be locked for as long as it
        takes to read or write all of it.
    type: int
    default: 100000
notes:
  - The lock between hosts belongs to a session, and so do the timeouts. Through a pooler that gives transactions
    rather than sessions, such as PgBouncer with C(pool_mode=transaction), they can't hold; let migrations connect to
    PostgreSQL itself.
  - A migration with C(atomic = False) that fails, or is killed, leaves in the database what it did before.
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
    safety: enforce
  run_once: true
  become: true

- name: Migrate all databases, and trust a migration that has been reviewed
  edusphere.django.migrate:
    project_dir: /srv/shop/releases/2024-05-01
    python: .venv/bin/python
    environment_file: /etc/shop/app.env
    database: all
    safety: enforce
    safety_accept: [orders.0012_fill_totals]

- name: Take the blog back to its second migration
  edusphere.django.migrate:
    project_dir: /srv/shop/current
    python: /srv/shop/current/.venv/bin/python
    settings: shop.settings.production
    environment:
      DATABASE_URL: "{{ shop_database_url }}"
    app_label: blog
    migration_name: "0002"

- name: See what a migration would do, with --diff also its SQL
  edusphere.django.migrate:
    project_dir: /srv/shop/current
    python: .venv/bin/python
    settings: shop.settings
    sql: true
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
    database:
      description: Alias of the database.
      type: str
      sample: default
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
    fake:
      description: Whether it is only recorded.
      type: bool
    operations:
      description: What the migration does, in Django's words.
      type: list
      elements: str
      sample: ["Add field slug to article"]
    sql:
      description: Its statements and comments.
      type: list
      elements: str
      returned: with O(sql=true)
      sample: ["--", "-- Add field slug", "--", 'ALTER TABLE "blog_article" ADD COLUMN "slug" varchar(50) NULL;']
recorded:
  description: Squashed migrations that are recorded as applied, since all that they replace are.
  type: list
  elements: str
  returned: success
  sample: ["blog.0001_squashed_0004"]
pruned:
  description: Migrations whose records O(prune) deletes.
  type: list
  elements: str
  returned: success
  sample: ["blog.0002_article_slug"]
created_tables:
  description: Tables of apps without migrations that O(run_syncdb) creates.
  type: list
  elements: str
  returned: always, unless nothing was asked of the database
  sample: ["polls_choice"]
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
    database:
      description: Alias of the database.
      type: str
      sample: default
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
retries:
  description: The attempts that had to make way, see O(lock_timeout), in their order.
  type: list
  elements: dict
  returned: always, unless nothing was asked of the database
  contains:
    database:
      description: Alias of the database.
      type: str
      sample: default
    migration:
      description: The migration; V(null) when it was no migration that had to wait, but a signal's receiver.
      type: str
      sample: blog.0003_comment
    error:
      description: What the database said.
      type: str
      sample: canceling statement due to lock timeout
    seconds:
      description: How long the attempt took.
      type: float
      sample: 3.004
    pause:
      description: Seconds until the next one.
      type: float
      sample: 1.0
pending:
  description:
    - All migrations of the project that the database lacks after the run; in check mode, would lack. With several
      databases, those that any of them lacks, see RV(databases).
  type: list
  elements: str
  returned: success, and failure where the database could still tell
  sample: ["blog.0003_comment"]
databases:
  description: What this means for each database.
  type: list
  elements: dict
  returned: success
  contains:
    alias:
      description: Its alias.
      type: str
      sample: default
    changed:
      description: Whether something was done to it.
      type: bool
    pending:
      description: The migrations that it lacks.
      type: list
      elements: str
safety:
  description: The judgement, made before anything was changed.
  type: dict
  returned: always, unless nothing was asked of the database
  contains:
    verdict:
      description: The worst verdict on any migration; V(null) when there was nothing to judge.
      type: str
      sample: incompatible
    migrations:
      description: The migrations of the plan.
      type: list
      elements: dict
      contains:
        database:
          description: Alias of the database.
          type: str
          sample: default
        app:
          description: Label of the app.
          type: str
          sample: blog
        name:
          description: Name of the migration.
          type: str
          sample: 0004_remove_article_slug
        direction:
          description: V(forward) or V(backward).
          type: str
          sample: forward
        verdict:
          description: V(compatible), V(incompatible) or V(unknown); that of a review, if there was one.
          type: str
          sample: incompatible
        accepted:
          description: Whether O(safety=enforce) lets it pass.
          type: bool
        reviewed:
          description: The reason that a review gave, V(null) without one.
          type: str
        operations:
          description: The migration's operations.
          type: list
          elements: dict
          contains:
            operation:
              description: What it does, in Django's words.
              type: str
              sample: Remove field slug from article
            verdict:
              description: V(compatible), V(incompatible) or V(unknown).
              type: str
              sample: incompatible
            reasons:
              description: Why, the worst first.
              type: list
              elements: str
              sample: ["drops the column blog_article.slug, which running code reads and writes"]
            instead:
              description: How to do the same so that running code goes on, as far as there is a rule for it.
              type: list
              elements: str
              sample: ["release code that does not use it first, and drop it in the release after that"]
    not_judged:
      description: Why the plan of a database was not judged, by its alias.
      type: dict
      sample: {"default": "no migration has been applied to it yet, so nothing runs on it"}
failed_migration:
  description: The migration that failed, or that was running when the time was up.
  type: str
  returned: failure in a migration
  sample: blog.0003_comment
failed_database:
  description: Alias of the database that it failed on.
  type: str
  returned: failure in a migration
  sample: default
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
    "database": {"type": "list", "elements": "str", "default": ["default"]},
    "app_label": {"type": "str"},
    "migration_name": {"type": "str"},
    "fake": {"type": "bool", "default": False},
    "fake_initial": {"type": "bool", "default": False},
    "prune": {"type": "bool", "default": False},
    "run_syncdb": {"type": "bool", "default": False},
    "sql": {"type": "bool", "default": False},
    "lock_wait": {"type": "int", "default": 300},
    "lock_timeout": {"type": "float", "default": 3},
    "lock_retries": {"type": "int", "default": 10},
    "lock_retry_pause": {"type": "float", "default": 1},
    "statement_timeout": {"type": "float"},
    "safety": {"type": "str", "choices": ["off", "warn", "enforce"], "default": "warn"},
    "safety_unknown": {"type": "str", "choices": ["incompatible", "compatible"], "default": "incompatible"},
    "safety_accept": {"type": "list", "elements": "str", "default": []},
    "safety_large_table": {"type": "int", "default": 100000},
}
# What is said of a database, and of all of them together one after the other.
LISTS = ("plan", "recorded", "pruned", "created_tables")


class MigrateModule(ProjectModule):
    """The module, with what it can say of a run that failed half-way."""

    def partial(self, reply: Reply) -> dict[str, Any]:
        """Return what was done before the error, what failed, and what is left."""
        results: dict[str, Any] = {**steps(reply), "safety": judgement(reply), "created_tables": []}
        running = None
        for frame in reply.frames:
            if frame["event"] == "started":
                running = frame
            elif frame["event"] in ("applied", "unapplied", "retry"):
                running = None
            elif frame["event"] == "left":
                results["pending"] = frame["pending"]
                results["created_tables"] = frame["created_tables"]
        results["changed"] = bool(results["applied"] or results["unapplied"] or results["created_tables"])
        if running:
            results["failed_migration"] = "{app}.{name}".format(**running)
            results["failed_database"] = running["database"]
            # What it did before it failed is still there.
            results["changed"] |= not running["atomic"]
            self._failed_atomic = running["atomic"]
        return results

    def fail(self, message: str, **results: Any) -> Any:
        """End with an error that begins with the migration that failed."""
        if results.get("failed_migration"):
            kept = "" if self._failed_atomic else " (not atomic: what it did before the error is kept)"
            message = f"{results['failed_migration']}{kept}: {message}"
        super().fail(message, **results)


def problems(parameters: dict[str, Any]) -> list[str]:
    """Return what is wrong with the parameters, as far as that shows without the project."""
    found = []
    if not parameters["database"]:
        found.append("database: give at least one alias, or all")
    if parameters["migration_name"] and not parameters["app_label"]:
        found.append("migration_name: also give the app_label whose migration it is")
    if parameters["prune"]:
        if not parameters["app_label"]:
            found.append("prune: also give the app_label whose records are to be deleted")
        others = [name for name in ("migration_name", "fake", "fake_initial", "run_syncdb") if parameters[name]]
        if others:
            found.append(f"prune: it does nothing else; leave out {', '.join(others)}")
    if parameters["run_syncdb"] and parameters["migration_name"]:
        found.append("run_syncdb: an app without migrations has no migration_name; leave out one of the two")
    for name in ("lock_wait", "lock_timeout", "lock_retries", "lock_retry_pause", "safety_large_table"):
        if parameters[name] < 0:
            found.append(f"{name}: give a number that is not negative")
    if parameters["statement_timeout"] is not None and parameters["statement_timeout"] <= 0:
        found.append("statement_timeout: give a number above zero, or leave it out for no limit")
    for name in parameters["safety_accept"]:
        if not all(name.partition(".")[::2]):
            found.append(f"safety_accept: {name!r} is no migration; write APP.NAME, such as blog.0002_article_slug")
    return found


def steps(reply: Reply) -> dict[str, list[dict[str, Any]]]:
    """Return the migrations that were applied and unapplied, and the attempts that made way, in their order."""
    return {
        key: [
            {name: value for name, value in frame.items() if name != "event"}
            for frame in reply.frames
            if frame["event"] == event
        ]
        for key, event in (("applied", "applied"), ("unapplied", "unapplied"), ("retries", "retry"))
    }


def judgement(reply: Reply) -> dict[str, Any] | None:
    """Return the judgement, None when the project came to no such thing."""
    for frame in reply.frames:
        if frame["event"] == "judged":
            judged: dict[str, Any] = frame["safety"]
            return judged
    return None


def difference(databases: list[dict[str, Any]]) -> dict[str, str]:
    """Return the applied migrations before and after, for ``--diff``, and the SQL of the plan if there is any."""
    header = "applied migrations of " + ", ".join(database["alias"] for database in databases)
    before, after, sql = "", "", ""
    for database in databases:
        heading = f"[{database['alias']}]\n" if len(databases) > 1 else ""
        before += heading + "".join(f"{name}\n" for name in database["history_before"])
        after += heading + "".join(f"{name}\n" for name in database["history_after"])
        for step in database["plan"]:
            if step.get("sql"):
                title = "{database}: {app}.{name} {direction}".format(**step)
                sql += "".join(f"{line}\n" for line in ["", f"-- {title}", *step["sql"]])
    return {"before_header": header, "after_header": header, "before": before, "after": after + sql}


def main() -> None:
    """Run the module."""
    this = MigrateModule(ARGUMENTS)
    found = problems(this.parameters)
    if found:
        this.fail("\n".join(found))
    reply = this.ask(probe)
    result = reply.result
    databases = result["databases"]
    if this.parameters["safety"] == "warn":
        for step in result["safety"]["migrations"]:
            if not step["accepted"]:
                this.module.warn(probe.described(step).removeprefix("- "))
    this.succeed(
        diff=difference(databases),
        changed=any(database["changed"] for database in databases),
        resumed=any(database["resumed"] for database in databases),
        pending=list(dict.fromkeys(name for database in databases for name in database["pending"])),
        databases=[{key: database[key] for key in ("alias", "changed", "pending")} for database in databases],
        safety=result["safety"],
        **{key: [item for database in databases for item in database[key]] for key in LISTS},
        **steps(reply),
    )


if __name__ == "__main__":
    main()
