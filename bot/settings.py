"""The environment, read once. A secret is also read from the file that NAME_FILE names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

NAMES = {
    "slack_bot_token": "SLACK_BOT_TOKEN",
    "slack_signing_secret": "SLACK_SIGNING_SECRET",
    "slack_app_token": "SLACK_APP_TOKEN",
    "slack_api_url": "SLACK_API_URL",
    "database_url": "DATABASE_URL",
    "policy": "POINTSMAN_POLICY",
    "host": "HOST",
    "port": "PORT",
    "audit_key": "POINTSMAN_AUDIT_KEY",
    "log_level": "LOG_LEVEL",
    "log_format": "LOG_FORMAT",
}


class SettingsFault(Exception):
    """A variable is missing or wrong; the text is one clear line for each."""


class Settings(BaseModel):
    """What the environment says. Empty values count as not set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    slack_bot_token: SecretStr | None = None
    slack_signing_secret: SecretStr | None = None
    slack_app_token: SecretStr | None = None
    slack_api_url: str = "https://slack.com/api/"
    database_url: str = "sqlite:///pointsman.db"
    policy: Path | None = None
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    audit_key: SecretStr | None = None
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["text", "json"] = "text"


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings of this environment. Raises `SettingsFault` naming every variable that is wrong."""
    said: dict[str, str] = {}
    for field, name in NAMES.items():
        value = read_secret(environment, name)
        if value:
            said[field] = value
    try:
        return Settings.model_validate(said)
    except ValidationError as faults:
        lines = (f"{NAMES[str(fault['loc'][0])]}: {fault['msg']}" for fault in faults.errors())
        raise SettingsFault("\n".join(lines)) from None


def read_secret(environment: Mapping[str, str], name: str) -> str | None:
    """The value of a variable, or what is in the file that NAME_FILE names; None if there is neither. Raises
    `SettingsFault` for a file that cannot be read."""
    return environment.get(name) or _from_file(environment.get(f"{name}_FILE"), name)


def _from_file(path: str | None, name: str) -> str | None:
    if not path:
        return None
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as fault:
        raise SettingsFault(f"{name}_FILE: cannot read {path}: {fault.strerror}") from None
