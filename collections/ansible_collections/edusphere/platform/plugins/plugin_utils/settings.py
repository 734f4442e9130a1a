# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A role's settings, held against its argument specification."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator, ValidationResult
from ansible_collections.edusphere.platform.plugins.plugin_utils.ranges import out_of_range
from ansible_collections.edusphere.platform.plugins.plugin_utils.values import depends_on_facts, plain

# Settings whose values never appear in a message.
SECRET = (
    "edusphere_secret_key",
    "edusphere_database_password",
    "edusphere_redis_password",
    "edusphere_app_secrets",
    "edusphere_superuser_password",
    "docker_registry_logins",
    "release_build_environment",
)

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
        problems += _take(settings, name, option, value)
    return settings, problems


def examine_role(
    options: Mapping[str, Mapping[str, Any]], variables: Mapping[str, Any], template: Callable[[Any], Any]
) -> tuple[dict[str, Any], list[str]]:
    """The same of a role's own settings, as far as ``variables`` have them and they can be templated now.

    What they are made of may be known only when the role runs: facts, or what an earlier role has found out.
    """
    settings: dict[str, Any] = {}
    problems: list[str] = []
    for name, option in options.items():
        if name not in variables:
            continue
        try:
            value = plain(template(variables[name]))
        except (AnsibleError, TypeError):
            continue
        problems += _take(settings, name, option, value)
    return settings, problems


def with_anchors(variables: Mapping[str, Any], known: Mapping[str, Any], anchors: Iterable[str]) -> dict[str, Any]:
    """A host's ``variables`` with the defaults of the roles' ``anchors``, on which data hang, as ``known`` has them.

    Without facts, an anchor that is made of them is left out, also where its template then has another value.
    """
    own = {name: known[name] for name in anchors if name in known}
    gathered = "distribution_release" in (variables.get("ansible_facts") or {})
    later = {name for name in own if not gathered and depends_on_facts(name, known)}
    return {name: value for name, value in {**own, **variables}.items() if name not in later}


def _take(settings: dict[str, Any], name: str, option: Mapping[str, Any], value: Any) -> list[str]:
    """Add a setting to ``settings`` as its type wants it, or say what is wrong with it."""
    found = list(_wrong(name, option, value))
    if not found:
        settings[name] = plain(_checked(name, option, value).validated_parameters[name])
    return found


def _wrong(name: str, option: Mapping[str, Any], value: Any) -> Iterator[str]:
    """What is wrong with the value of one setting, by its option's type, choices and range."""
    if value is None:
        yield f"{name}: has no value; give it one, or remove it"
    elif option["type"] in ("str", "path") and isinstance(value, (dict, list)):
        yield f"{name}: must be text"  # Ansible itself would make text of it.
    elif outside := list(out_of_range(name, option, value)):
        # Before Ansible converts it, which takes for ever for 1e999999999 and ends the run for infinity.
        yield from outside
    elif messages := _checked(name, option, value).error_messages:
        yield f"{name}: {_reason(name, option, messages)}"


def _checked(name: str, option: Mapping[str, Any], value: Any) -> ValidationResult:
    result: ValidationResult = ArgumentSpecValidator({name: _specification(option)}).validate({name: value})
    return result


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
