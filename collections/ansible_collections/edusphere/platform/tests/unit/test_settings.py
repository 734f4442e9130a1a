"""How a host's settings are held against an argument specification."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.edusphere.platform.plugins.plugin_utils.settings import examine, with_anchors
from ansible_collections.edusphere.platform.plugins.plugin_utils.values import depends_on_facts

OPTIONS: dict[str, dict[str, Any]] = {
    "edusphere_domain": {"type": "str", "required": True, "description": "The site's host name."},
    "edusphere_http_port": {"type": "int", "default": 80},
    "edusphere_mode": {"type": "str", "choices": ["native", "compose"]},
    "edusphere_url": {"type": "str"},
    "edusphere_secret_key": {"type": "str", "required": True, "description": "Long."},
    "edusphere_app_secrets": {"type": "dict"},
    "edusphere_aliases": {
        "type": "list",
        "elements": "dict",
        "options": {"path": {"type": "str", "required": True, "description": "x"}},
    },
}
DEFAULTS = {"edusphere_http_port": 80, "edusphere_url": "http://{{ edusphere_domain }}"}
RIGHT = {"edusphere_domain": "localhost", "edusphere_secret_key": "x", **DEFAULTS}


def run(**changes: Any) -> tuple[dict[str, Any], list[str]]:
    variables = {**RIGHT, **changes}
    variables = {
        name: trust_as_template(value) if isinstance(value, str) else value
        for name, value in variables.items()
        if value is not None
    }
    templar = Templar(DataLoader(), variables)
    return examine(OPTIONS, DEFAULTS, {"edusphere_derived": ""}, variables, templar.template)


def test_right_settings() -> None:
    settings, problems = run(edusphere_http_port="8080", edusphere_derived="x", other="{{ nowhere }}")
    assert problems == []
    assert settings == {
        "edusphere_domain": "localhost",
        "edusphere_http_port": 8080,
        "edusphere_url": "http://localhost",
        "edusphere_secret_key": "x",
    }


def test_all_problems_at_once_and_only_their_causes() -> None:
    settings, problems = run(
        edusphere_domain=None,
        edusphere_http_port="x",
        edusphere_mode="swarm",
        edusphere_aliases=[{"pathh": 1}],
        edusphere_domian="x",
    )
    assert settings == {"edusphere_secret_key": "x"}
    assert [problem.partition(":")[0] for problem in problems] == [
        "edusphere_domian",
        "edusphere_domain",
        "edusphere_http_port",
        "edusphere_mode",
        "edusphere_aliases",
    ]
    assert problems[0].endswith("did you mean edusphere_domain?")
    assert problems[1] == "edusphere_domain: is required and not set. The site's host name."
    assert "must be one of: native, compose" in problems[3]


def test_an_undefined_variable_is_named() -> None:
    assert run(edusphere_mode="{{ nowhere }}")[1] == ["edusphere_mode: cannot be templated: 'nowhere' is undefined"]


def test_what_is_made_of_facts_is_left_for_later() -> None:
    for template in ("{{ ansible_facts.processor_vcpus }}", "{{ indirectly }}", "{{ hostvars['x'].y }}"):
        settings, problems = run(edusphere_http_port=template, indirectly="{{ ansible_facts.a.b }}")
        assert problems == []
        assert "edusphere_http_port" not in settings


@pytest.mark.parametrize("value", [["s3cr3t"], {"s3cr3t": 1}])
def test_text_is_not_made_of_lists(value: Any) -> None:
    assert run(edusphere_secret_key=value)[1] == ["edusphere_secret_key: must be text"]


def test_null() -> None:
    assert run(edusphere_mode="{{ none }}")[1] == ["edusphere_mode: has no value; give it one, or remove it"]


@pytest.mark.parametrize("value", ["s3cr3t", ["s3cr3t"]])
def test_a_secret_of_the_wrong_type_is_not_shown(value: Any) -> None:
    assert run(edusphere_app_secrets=value)[1] == ["edusphere_app_secrets: must be of type dict"]


def test_dependence_on_facts() -> None:
    variables = {
        "a": "{{ b }}",
        "b": ["{{ c.d }}"],
        "c": {"d": "{{ ansible_facts.e }}"},
        "x": "{{ x }}",
        "y": "hostvars",
    }
    assert depends_on_facts("a", variables)
    assert not depends_on_facts("x", variables)
    assert not depends_on_facts("y", variables)
    assert not depends_on_facts("missing", variables)


def test_defaults_that_data_hang_on() -> None:
    known = {
        "engine_root": "/var/lib/engine",
        "version": "{{ versions[ansible_facts.distribution_release] | default('') }}",
        "data": "/data/{{ version }}",
        "other": 1,
    }
    anchors = ("engine_root", "version", "data", "missing")
    assert with_anchors({}, known, anchors) == {"engine_root": "/var/lib/engine"}
    assert with_anchors({"data": "/d/{{ version }}"}, known, anchors) == {"engine_root": "/var/lib/engine"}
    # An operator's value stands in known as well.
    given = {"version": "16"}
    assert (
        with_anchors(given, known | given, anchors)
        == {"engine_root": "/var/lib/engine", "data": "/data/{{ version }}"} | given
    )
    gathered = {"ansible_facts": {"distribution_release": "trixie"}, "more": 2}
    assert with_anchors(gathered, known, anchors) == {name: known[name] for name in anchors[:3]} | gathered
