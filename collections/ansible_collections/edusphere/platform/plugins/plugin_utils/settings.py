# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A role's settings, held against its argument specification."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.edusphere.platform.plugins.plugin_utils.values import depends_on_facts, plain

# Settings whose values never appear in a message.
SECRET = ("edusphere_secret_key", "edusphere_database_password", "edusphere_redis_password", "edusphere_app_secrets")

# How alike two names are that are taken for one and a misspelling of it; difflib's ratio, 0 to 1.
MISSPELT = 0.9


def examine(
    options: Mapping[str, Mapping[str, Any]],
    defaults: Mapping[str, Any],
    derived: Mapping[str, Any],
    variables: Mapping[str, Any],
    template: Callable[[Any], Any],
) -> tuple[dict[str, Any], list[str]]:
    """The settings that are known and right, and the problems of the others.

    ``options`` is the role's argument specification, ``defaults`` and ``derived`` are its variables as they stand in
    its files, ``variables`` are the host's before templating. A setting that is made of facts which have yet to be
    gathered is left out. So is a default that cannot be templated: what it is made of has a problem of its own.
    """
    settings: dict[str, Any] = {}
    problems = list(_misspelt(options, derived, variables))
    for name, option in options.items():
        if name not in variables:
            if option.get("required"):
                problems.append(f"{name}: is required and not set. {_text(option)}")
            continue
        try:
            value = plain(template(variables[name]))
        except (AnsibleError, TypeError) as error:
            if variables[name] != defaults.get(name) and not depends_on_facts(name, variables):
                problems.append(f"{name}: cannot be templated: {getattr(error, 'message', error)}")
            continue
        checked = ArgumentSpecValidator({name: _specification(option)}).validate({name: value})
        if value is None:
            problems.append(f"{name}: has no value; give it one, or remove it")
        elif option["type"] in ("str", "path") and isinstance(value, (dict, list)):
            problems.append(f"{name}: must be text")  # Ansible itself would make text of it.
        elif checked.error_messages:
            problems.append(f"{name}: {_reason(name, option, checked.error_messages)}")
        else:
            settings[name] = plain(checked.validated_parameters[name])
    return settings, problems


def _reason(name: str, option: Mapping[str, Any], messages: list[str]) -> str:
    if name in SECRET:
        return f"must be of type {option['type']}"
    return "; ".join(re.sub(rf"(value of |argument '){name}'? ", "", message) for message in messages)


def _misspelt(options: Mapping[str, Any], derived: Mapping[str, Any], variables: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted(variables):
        if name.startswith("edusphere_") and name not in options and name not in derived:
            for meant in difflib.get_close_matches(name, options, n=1, cutoff=MISSPELT):
                yield f"{name}: there is no such setting; did you mean {meant}?"


def _specification(option: Mapping[str, Any]) -> dict[str, Any]:
    """``option`` as Ansible's validator takes it, which knows no descriptions."""
    specification = {key: option[key] for key in ("type", "elements", "choices", "required") if key in option}
    if "options" in option:
        specification["options"] = {name: _specification(inner) for name, inner in option["options"].items()}
    return specification


def _text(option: Mapping[str, Any]) -> str:
    description = option.get("description", "")
    return description if isinstance(description, str) else " ".join(description)
