"""The environment, read once. A secret is also read from the file that NAME_FILE names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

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
    "checkpoints": "POINTSMAN_CHECKPOINTS",
    "heartbeat": "POINTSMAN_HEARTBEAT",
    "smtp_host": "SMTP_HOST",
    "smtp_port": "SMTP_PORT",
    "smtp_user": "SMTP_USER",
    "smtp_password": "SMTP_PASSWORD",
    "smtp_from": "SMTP_FROM",
    "smtp_security": "SMTP_SECURITY",
    "log_level": "LOG_LEVEL",
    "log_format": "LOG_FORMAT",
}

WANTED = {
    "slack_api_url": "an address such as https://slack.com/api/ is wanted",
    "port": "a number from 0 to 65535 is wanted (0: any free port)",
    "heartbeat": "an address such as https://example.com/ping is wanted",
    "smtp_port": "a number from 1 to 65535 is wanted",
    "smtp_from": "an e-mail address such as pointsman@example.com is wanted",
    "smtp_security": "starttls, tls or none is wanted",
    "log_level": "one of DEBUG, INFO, WARNING and ERROR is wanted",
    "log_format": "text or json is wanted",
}
"""What is said of a wrong value. The value itself is not: it may be a secret in the wrong place."""


class SettingsFault(Exception):
    """A variable is missing or wrong; the text is one clear line for each."""


def _web_api_base(value: str) -> str:
    """With a slash at its end, as methods are appended to it."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError
    return value.rstrip("/") + "/"


def _https(value: SecretStr) -> SecretStr:
    """The address is a secret: whoever knows it can say that all is well."""
    if not re.fullmatch(r"https?://[A-Za-z0-9.:\[\]-]+(/[!-~]*)?", value.get_secret_value()):
        raise ValueError
    return value


def _mail_address(value: str) -> str:
    if not re.fullmatch(r"[^@\s<>,;]+@[^@\s<>,;]+", value):
        raise ValueError
    return value


class Settings(BaseModel):
    """What the environment says. Empty values count as not set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    slack_bot_token: SecretStr | None = None
    slack_signing_secret: SecretStr | None = None
    slack_app_token: SecretStr | None = None
    slack_api_url: Annotated[str, AfterValidator(_web_api_base)] = "https://slack.com/api/"
    database_url: str = "sqlite:///pointsman.db"
    policy: Path | None = None
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    audit_key: SecretStr | None = None
    checkpoints: Path | None = None
    heartbeat: Annotated[SecretStr, AfterValidator(_https)] | None = None
    smtp_host: str | None = None
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_user: str | None = None
    smtp_password: SecretStr | None = None
    smtp_from: Annotated[str, AfterValidator(_mail_address)] | None = None
    smtp_security: Annotated[Literal["starttls", "tls", "none"], BeforeValidator(str.lower)] = "starttls"
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(str.upper)] = "INFO"
    log_format: Annotated[Literal["text", "json"], BeforeValidator(str.lower)] = "text"


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
        wrong = [str(fault["loc"][0]) for fault in faults.errors()]
        raise SettingsFault("\n".join(f"{NAMES[field]}: {WANTED[field]}" for field in wrong)) from None


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
    except ValueError:
        raise SettingsFault(f"{name}_FILE: {path} is not a text file in UTF-8") from None
