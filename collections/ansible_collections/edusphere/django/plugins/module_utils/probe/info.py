# Copyright: (c) 2026, EduSphere maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: allow-untyped-calls
"""Runs inside the project: tells what it is and how it is, and changes nothing."""

from __future__ import annotations

import platform
import sys
from typing import Any

from ansible_collections.edusphere.django.plugins.module_utils.probe.core import Project, describe, would_create_file

# What manage.py would be called with.
COMMAND = "check"


def run(_project: Project, parameters: dict[str, Any]) -> dict[str, Any]:
    """Return what ``parameters`` ask for; its only key is gather_subset, a list of keys of :data:`SUBSETS`."""
    import django
    from django.conf import settings

    result: dict[str, Any] = {
        "python_version": platform.python_version(),
        "python_executable": sys.executable,
        "django_version": django.__version__,
        "settings_module": settings.SETTINGS_MODULE,
        "debug": bool(settings.DEBUG),
    }
    for subset in parameters["gather_subset"]:
        result.update(SUBSETS[subset]())
    return result


def databases() -> dict[str, Any]:
    """Return what each database is, and whether it answers."""
    from django.db import connections

    found: dict[str, dict[str, Any]] = {}
    for alias in connections:
        settings = connections.settings[alias]
        found[alias] = {
            "engine": settings["ENGINE"],
            "vendor": None,
            "name": text(settings["NAME"]),
            "host": text(settings["HOST"]),
            "port": int(settings["PORT"]) if str(settings["PORT"]).isdecimal() else None,
            "server_version": None,
            "error": None,
        }
        try:
            # An engine whose driver is not installed fails here.
            found[alias]["vendor"] = connections[alias].vendor
            found[alias]["server_version"] = server_version(connect(alias))
        except Exception as error:  # Each engine has its own.
            found[alias]["error"] = words(error)
        found[alias]["reachable"] = found[alias]["error"] is None
    return {"databases": found}


def migrations() -> dict[str, Any]:
    """Return the applied and the pending migrations of each database."""
    from django.db import connections
    from django.db.migrations.executor import MigrationExecutor

    found: dict[str, dict[str, Any]] = {}
    for alias in connections:
        found[alias] = {"applied": None, "pending": None, "missing": None, "error": None}
        try:
            executor = MigrationExecutor(connect(alias))
            loader: Any = executor.loader
            loader.check_consistent_history(executor.connection)
            rows = set(executor.recorder.applied_migrations())
            known = set(loader.disk_migrations)
            known.update(key for migration in loader.disk_migrations.values() for key in migration.replaces)
            plan = executor.migration_plan(loader.graph.leaf_nodes())
        except Exception as error:  # A file of a migration may hold anything.
            found[alias]["error"] = words(error)
        else:
            found[alias]["applied"] = sorted(".".join(key) for key in rows)
            found[alias]["pending"] = [f"{migration.app_label}.{migration.name}" for migration, _backward in plan]
            found[alias]["missing"] = sorted(".".join(key) for key in rows - known)
    return {"migrations": found}


def files() -> dict[str, Any]:
    """Return where static files and media are, and under which URLs."""
    from django.conf import settings
    from django.core.files.storage import storages

    def storage(alias: str) -> str | None:
        backend = storages.backends.get(alias, {}).get("BACKEND")
        return None if backend is None else str(backend)

    return {
        "static": {
            "url": url("STATIC_URL"),
            "root": path(settings.STATIC_ROOT),
            "storage": storage("staticfiles"),
        },
        "media": {"url": url("MEDIA_URL"), "root": path(settings.MEDIA_ROOT), "storage": storage("default")},
    }


def installed_apps() -> dict[str, Any]:
    """Return the installed apps in their order."""
    from django.apps import apps

    return {
        "installed_apps": [
            {"label": config.label, "name": config.name, "path": str(config.path)} for config in apps.get_app_configs()
        ]
    }


def checks() -> dict[str, Any]:
    """Return what ``manage.py check --deploy`` finds, without what the settings silence."""
    import logging

    from django.core.checks import run_checks
    from django.db import models

    def about(subject: Any) -> str | None:
        if subject is None:
            return None
        # A model's str() is that of a class.
        is_model = isinstance(subject, type) and issubclass(subject, models.Model)
        return str(subject._meta.label if is_model else subject)

    found = [finding for finding in run_checks(include_deployment_checks=True) if not finding.is_silenced()]
    # Django keeps its checks in a set, so their order means nothing.
    found.sort(key=lambda finding: (-finding.level, finding.id or "", str(finding.msg), str(about(finding.obj))))
    return {
        "checks": [
            {
                "id": finding.id,
                "level": logging.getLevelName(finding.level).lower(),
                "message": str(finding.msg),
                "hint": None if finding.hint is None else str(finding.hint),
                "object": about(finding.obj),
            }
            for finding in found
        ]
    }


SUBSETS = {
    "databases": databases,
    "migrations": migrations,
    "files": files,
    "apps": installed_apps,
    "checks": checks,
}


# Why a database does not answer, by alias: to wait for it once is enough.
_failures: dict[str, Exception] = {}


def connect(alias: str) -> Any:
    """Return Django's connection of that alias, connected; raise what its engine raises."""
    if alias in _failures:
        raise _failures[alias]
    try:
        return _connect(alias)
    except Exception as error:
        _failures[alias] = error
        raise


def _connect(alias: str) -> Any:
    from django.db import connections

    connection = connections[alias]
    if would_create_file(connection):
        raise FileNotFoundError("there is no file {}".format(connection.settings_dict["NAME"]))
    connection.ensure_connection()
    return connection


def server_version(connection: Any) -> str:
    """Return the version of the database's server, such as 15.4."""
    return ".".join(str(part) for part in connection.get_database_version())


def words(error: Exception) -> str:
    """Return an exception as one text."""
    return ": ".join(describe(error).values())


def url(name: str) -> str | None:
    """Return a setting that is a URL, under the script's prefix; None for an empty one, of which Django makes "/"."""
    from django.conf import settings

    set_by_project = getattr(sys.modules.get(settings.SETTINGS_MODULE), name, None)
    return str(getattr(settings, name)) if set_by_project else None


def text(value: Any) -> str | None:
    """Return a setting that may be a path or lazy as a text; None for an empty one."""
    return str(value) if value else None


def path(value: Any) -> str | None:
    """Return a directory's absolute path; None for an empty setting."""
    from django.core.files.storage import FileSystemStorage

    return FileSystemStorage(location=value).location if value else None
