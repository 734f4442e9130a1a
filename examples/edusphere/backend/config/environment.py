"""Typed reading of settings from environment variables, values taken byte-exact."""

from collections.abc import Mapping

from django.core.exceptions import ImproperlyConfigured

TRUE = {"1", "true", "yes", "on"}
FALSE = {"", "0", "false", "no", "off"}


class Environment:
    """Reads variables and collects every problem, so that one start reports all of them."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self._problems: list[str] = []

    def text(self, name: str, default: str) -> str:
        """Return the value, or `default` where the variable is unset."""
        return self._variables.get(name, default)

    def required(self, name: str) -> str:
        """Return the value; an unset or empty variable is a problem."""
        value = self._variables.get(name, "")
        if not value:
            self._problems.append(f"{name} is not set: it is required, export it before starting the application")
        return value

    def boolean(self, name: str, default: bool) -> bool:
        """Return the value as a truth value; anything but the usual words is a problem."""
        if name not in self._variables:
            return default
        word = self._variables[name].strip().lower()
        if word not in TRUE | FALSE:
            self._problems.append(f"{name} is {word!r}: use true or false")
        return word in TRUE

    def port(self, name: str, default: int) -> int:
        """Return the value as a TCP port; anything outside 1-65535 is a problem."""
        value = self._variables.get(name) or str(default)
        if not (value.isascii() and value.isdigit() and 0 < int(value) < 65536):
            self._problems.append(f"{name} is {value!r}: use a port number from 1 to 65535")
            return default
        return int(value)

    def items(self, name: str, default: list[str]) -> list[str]:
        """Return the comma-separated value as a list, or `default` where it is unset or empty."""
        return [item.strip() for item in self._variables.get(name, "").split(",") if item.strip()] or default

    def check(self) -> None:
        """Raise ImproperlyConfigured naming every problem found so far."""
        if self._problems:
            raise ImproperlyConfigured("; ".join(self._problems))
