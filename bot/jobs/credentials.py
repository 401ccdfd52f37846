"""The secrets of connectors, from the environment or from files that it names."""

from __future__ import annotations

from collections.abc import Mapping

from bot.settings import read_secret
from runbooks.connectors import Connector, Resolved, resolve, variables_of


def with_secrets(connector: Connector, environment: Mapping[str, str]) -> Resolved:
    """The connector with its secrets, read anew each time: a file may have another one now. Raises `MissingVariable`
    and `SettingsFault`, which name the variable."""
    said = {each: read_secret(environment, each) for each in variables_of(connector)}
    return resolve(connector, {name: value for name, value in said.items() if value})
