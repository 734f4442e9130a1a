#!/usr/bin/python
# Copyright: (c) 2026, EduSphere maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: info
short_description: Tell what a Django project is and how it is
version_added: "0.1.0"
description:
  - Returns versions, databases, migrations, directories of files, installed apps and the findings of Django's checks,
    as the project itself knows them.
  - Never changes anything, and never creates an SQLite file by looking for it.
  - A database that does not answer does not fail the task. What its driver said is returned for that database.
author:
  - EduSphere maintainers (!UNKNOWN)
extends_documentation_fragment:
  - edusphere.django.project
options:
  gather_subset:
    description:
      - What to find out besides the versions. All of it takes somewhat longer than C(manage.py check --deploy); leave
        out what is not needed.
      - V(databases) connects to each database, for RV(databases).
      - V(migrations) connects to each database and loads all migrations, for RV(migrations).
      - V(files) returns RV(static) and RV(media).
      - V(apps) returns RV(installed_apps).
      - V(checks) runs the checks of C(manage.py check --deploy), which load the project's URLs, for RV(checks). Where
        they raise an exception instead of reporting a finding, the task fails with it.
    type: list
    elements: str
    choices: [databases, migrations, files, apps, checks]
    default: [databases, migrations, files, apps, checks]
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
    details:
      - It does the same as otherwise, but something of the project that does not exist makes the result unknown instead
        of an error, see RV(ignore:unknown).
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: N/A
    details:
      - Nothing changes.
seealso:
  - module: edusphere.django.migrate
  - name: Django's system check framework
    description: What the checks are, and how to silence one.
    link: https://docs.djangoproject.com/en/stable/topics/checks/
"""

EXAMPLES = r"""
- name: Ask the project for all that it knows of itself
  edusphere.django.info:
    project_dir: /srv/shop/current
    python: .venv/bin/python
    environment_file: /etc/shop/app.env
    user: shop
  become: true
  register: shop_info

- name: Stop where a check for production fails
  ansible.builtin.assert:
    that: shop_info.checks | rejectattr('level', 'in', ['debug', 'info']) | length == 0
    fail_msg: "{{ shop_info.checks | map(attribute='message') | join('\n') }}"

- name: Read where nginx finds the static files
  edusphere.django.info:
    project_dir: /srv/shop/current
    python: .venv/bin/python
    environment_file: /etc/shop/app.env
    gather_subset: [files]
  register: shop_files

- name: Refuse a release that lacks migrations that the database already has
  edusphere.django.info:
    project_dir: /srv/shop/releases/2024-04-01
    python: .venv/bin/python
    environment_file: /etc/shop/app.env
    gather_subset: [migrations]
  register: shop_migrations
  failed_when: shop_migrations is failed or shop_migrations.migrations.default.missing | length > 0
"""

RETURN = r"""
unknown:
  description:
    - Whether nothing could be asked, because something of the project does not exist yet. Only in check mode, with
      the reason in RV(ignore:msg); no other value is returned then.
  type: bool
  returned: success
python_version:
  description: Version of the project's interpreter.
  type: str
  returned: success
  sample: 3.13.5
python_executable:
  description: Path of the project's interpreter.
  type: str
  returned: success
  sample: /srv/shop/current/.venv/bin/python
django_version:
  description: Version of Django.
  type: str
  returned: success
  sample: 5.2.8
settings_module:
  description: Name of the settings module.
  type: str
  returned: success
  sample: shop.settings
debug:
  description: The setting C(DEBUG).
  type: bool
  returned: success
databases:
  description: The databases of the settings by their aliases.
  type: dict
  returned: when O(gather_subset) has V(databases)
  sample:
    default:
      engine: django.db.backends.postgresql
      vendor: postgresql
      name: shop
      host: db.shop.example
      port: 5432
      reachable: true
      server_version: "17.6"
      error: null
  contains:
    engine:
      description: The setting C(ENGINE).
      type: str
    vendor:
      description: Kind of the database in Django's words, such as V(postgresql) or V(sqlite). Null where the engine
        can't be loaded.
      type: str
    name:
      description: The setting C(NAME), null for an empty one.
      type: str
    host:
      description: The setting C(HOST), null for an empty one.
      type: str
    port:
      description: The setting C(PORT), null for an empty one.
      type: int
    reachable:
      description: Whether a connection could be opened.
      type: bool
    server_version:
      description: Version of the server, or of the SQLite library. Null unless the database is reachable.
      type: str
    error:
      description: Why it is not reachable, in the words of its driver, secrets masked. Null when it is.
      type: str
migrations:
  description: The migrations of each database, by its alias.
  type: dict
  returned: when O(gather_subset) has V(migrations)
  sample:
    default:
      applied: ["auth.0001_initial", "blog.0001_initial", "contenttypes.0001_initial"]
      pending: ["blog.0002_article_slug"]
      missing: []
      error: null
  contains:
    applied:
      description: The migrations that are recorded as applied. Null when there is an RV(ignore:error).
      type: list
      elements: str
    pending:
      description: The migrations of the project that the database lacks, in the order in which they would be applied.
        Null when there is an RV(ignore:error).
      type: list
      elements: str
    missing:
      description: Applied migrations that the project does not have, such as those of a later release or of an app that
        is no longer installed. Null when there is an RV(ignore:error).
      type: list
      elements: str
    error:
      description: Why they can't be told, such as a database that does not answer or a migration that can't be loaded.
        Secrets are masked.
      type: str
static:
  description: The static files.
  type: dict
  returned: when O(gather_subset) has V(files)
  sample:
    url: /static/
    root: /srv/shop/current/staticfiles
    storage: django.contrib.staticfiles.storage.ManifestStaticFilesStorage
  contains:
    url:
      description: C(STATIC_URL), null if not set or empty.
      type: str
    root:
      description: C(STATIC_ROOT) as an absolute path, null if not set.
      type: str
    storage:
      description: Class of the storage with the alias C(staticfiles).
      type: str
media:
  description: The files that users upload.
  type: dict
  returned: when O(gather_subset) has V(files)
  sample:
    url: /media/
    root: /srv/shop/shared/media
    storage: django.core.files.storage.FileSystemStorage
  contains:
    url:
      description: C(MEDIA_URL), null if not set or empty.
      type: str
    root:
      description: C(MEDIA_ROOT) as an absolute path, null if not set.
      type: str
    storage:
      description: Class of the storage with the alias C(default).
      type: str
installed_apps:
  description: The installed apps in the order of the settings.
  type: list
  elements: dict
  returned: when O(gather_subset) has V(apps)
  sample:
    - label: auth
      name: django.contrib.auth
      path: /srv/shop/current/.venv/lib/python3.13/site-packages/django/contrib/auth
  contains:
    label:
      description: Label of the app.
      type: str
    name:
      description: Python name of the app.
      type: str
    path:
      description: Directory of the app.
      type: str
checks:
  description: What the checks found, the worst first, without findings that C(SILENCED_SYSTEM_CHECKS) names.
  type: list
  elements: dict
  returned: when O(gather_subset) has V(checks)
  sample:
    - id: security.W018
      level: warning
      message: You should not have DEBUG set to True in deployment.
      hint: null
      object: null
  contains:
    id:
      description: Identifier of the finding, null if its author gave none.
      type: str
    level:
      description: V(debug), V(info), V(warning), V(error) or V(critical).
      type: str
    message:
      description: What is wrong.
      type: str
    hint:
      description: What to do about it, null if its author gave none.
      type: str
    object:
      description: What it is about, such as a model, null for the project as a whole.
      type: str
exception_type:
  description: The Python type of the error.
  type: str
  returned: failure inside the project
  sample: django.core.exceptions.ImproperlyConfigured
output:
  description: The last 16 KiB of what the project printed, secrets masked.
  type: str
  returned: failure inside the project
"""

from typing import Any

from ansible_collections.edusphere.django.plugins.module_utils.probe import info as probe
from ansible_collections.edusphere.django.plugins.module_utils.project import ProjectModule

SUBSETS = ["databases", "migrations", "files", "apps", "checks"]
ARGUMENTS: dict[str, dict[str, Any]] = {
    "gather_subset": {"type": "list", "elements": "str", "choices": SUBSETS, "default": SUBSETS},
}


class InfoModule(ProjectModule):
    """The module, which never changes anything, whatever it can't know."""

    UNKNOWN = ("The project can't be asked yet", False)

    def masked(self, found: dict[str, Any]) -> dict[str, Any]:
        """Return the subsets ``found`` with the secrets masked in what drivers and the project's files say."""
        for subset in ("databases", "migrations"):
            for item in found.get(subset, {}).values():
                item["error"] = item["error"] and self._mask(item["error"])
        return found


def main() -> None:
    """Run the module."""
    this = InfoModule(ARGUMENTS)
    reply = this.ask(probe)
    this.succeed(changed=False, **this.masked(reply.result))


if __name__ == "__main__":
    main()
