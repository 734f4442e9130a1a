#!/usr/bin/env python3
"""Print docs/variables.md, from the roles' argument specs: the one place where a variable is described."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent

HEAD = """\
# Variables

Generated from the roles' `meta/argument_specs.yml` by `make docs`; edit those. Shared settings start with `edusphere_`,
and what concerns one service starts with its role's name. Set them in your inventory's `group_vars`.
The last sentence of a number, a duration or a size is its range. Preflight refuses a value outside it.
"""


def text_of(description: str | list[str]) -> str:
    """Return a description as one line that stands in a table's cell, with Ansible's markup as Markdown."""
    text = " ".join(description) if isinstance(description, list) else description
    for markup in ("C(", "V(", "O(", "I(", "M("):
        while (start := text.find(markup)) >= 0:
            end = text.index(")", start)
            text = f"{text[:start]}`{text[start + 2 : end]}`{text[end + 1 :]}"
    return " ".join(text.split()).replace("|", "\\|")


def type_of(option: dict[str, Any]) -> str:
    """Return the option's type as a reader wants it: its elements, or what may be chosen."""
    if option.get("choices"):
        return " \\| ".join(f"`{choice}`" for choice in option["choices"])
    kind = option.get("type", "str")
    return f"{kind} of {option['elements']}" if option.get("elements") else str(kind)


def default_of(option: dict[str, Any], value: Any) -> str:
    """Return the default that the role really has, which a reader sees in the specs' words if it is an expression."""
    if option.get("required"):
        return "**required**"
    if isinstance(value, str) and "{{" in value:
        return "see there"
    if value is None:
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, list | dict):
        flow = yaml.safe_dump(value, default_flow_style=True, width=10_000).strip()
        return f"`{flow}`".replace("|", "\\|") if len(flow) < 60 else "see there"
    return f"`{value}`" if value != "" else "empty"


def rows(options: dict[str, dict[str, Any]], defaults: dict[str, Any]) -> list[str]:
    """Return the table of a role's options, nested ones after the option that holds them."""
    lines = ["| variable | type | default | meaning |", "| --- | --- | --- | --- |"]

    def add(name: str, option: dict[str, Any], default: str) -> None:
        lines.append(f"| `{name}` | {type_of(option)} | {default} | {text_of(option['description'])} |")
        for inner, inner_option in (option.get("options") or {}).items():
            add(f"{name}[].{inner}", inner_option, default_of(inner_option, inner_option.get("default")))

    for name, option in options.items():
        add(name, option, default_of(option, defaults.get(name, option.get("default"))))
    return lines


def page() -> str:
    """Return the whole page. The settings that all roles share come first."""
    parts = [HEAD]
    specs = (ROOT / "roles").glob("*/meta/argument_specs.yml")
    for path in sorted(specs, key=lambda path: (path.parts[-3] != "settings", path)):
        role = path.parts[-3]
        # The entry point that comes first has the variables.
        main = next(iter(yaml.safe_load(path.read_text())["argument_specs"].values()))
        if not main.get("options"):
            continue
        defaults_file = path.parent.parent / "defaults" / "main.yml"
        defaults = yaml.safe_load(defaults_file.read_text()) if defaults_file.exists() else {}
        parts.append(f"## {role}\n\n{text_of(main['short_description'])}. {text_of(main['description'])}\n")
        parts.append("\n".join(rows(main["options"], defaults or {})) + "\n")
    return "\n".join(parts)


if __name__ == "__main__":
    print(page(), end="")
