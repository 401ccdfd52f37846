"""The systems that do the work, and the systems that may report (`connectors.yml`)."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass as plain_dataclass
from dataclasses import field
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, Field, PlainValidator, StrictBool, StrictStr
from pydantic.dataclasses import dataclass

from runbooks.fields import ClockLength, EnvironmentName, Name
from runbooks.lengths import Length

STRICT = ConfigDict(extra="forbid", arbitrary_types_allowed=True)
VARIABLE = re.compile(r"\$\{([A-Z_][A-Z0-9_]{0,126})\}")
SourceKind = Literal["alertmanager", "pagerduty", "sentry"]
_RATE = re.compile(r"([1-9][0-9]{0,5})/(s|m|h)")
_RATE_SECONDS = {"s": 1, "m": 60, "h": 3_600}


class MissingVariable(ValueError):
    """An environment variable that a connector or a source needs is not set, or its value cannot be used."""


@plain_dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` in `seconds` seconds."""

    count: int
    seconds: int


def parse_rate(text: object) -> Rate:
    """Read `20/s`, `100/m` or `5000/h`. Raises ValueError that says so."""
    if isinstance(text, Rate):
        return text
    found = _RATE.fullmatch(text) if isinstance(text, str) else None
    if not found:
        raise ValueError("this is not a rate; write a number and s, m or h, such as 20/s or 600/m")
    return Rate(int(found[1]), _RATE_SECONDS[found[2]])


def _read_base_url(value: str) -> str:
    bare = VARIABLE.sub("", value)
    if "$" in bare or "{" in bare:
        raise ValueError(f'"{value}" has a $ that names no variable; write ${{NAME}}, in capitals')
    if not VARIABLE.match(value):
        _refuse_bad_address(VARIABLE.sub("x", value))
    return value


def _refuse_bad_address(address: str) -> None:
    """Raise ValueError unless it is http(s)://host, with no user, query or fragment in it."""
    try:
        parts = urlsplit(address)
        parts.port  # noqa: B018 -- reading it is what checks it
    except ValueError:
        raise ValueError("this is not an address; write https://host or ${NAME}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("this is not an address; write https://host or ${NAME}")
    if parts.username or parts.password:
        raise ValueError("an address carries no user or password; use auth with environment variables")
    if parts.query or parts.fragment:
        raise ValueError("an address here has no ? or #; write the query beside the request")


def _read_local_path(value: str) -> str:
    if not value.startswith("/") or value.startswith("//") or not value.isascii() or " " in value:
        raise ValueError(f'"{value}" is not a path; begin with one /, such as /health')
    return value


RateField = Annotated[Rate, PlainValidator(parse_rate, json_schema_input_type=str)]
HeaderName = Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$")]


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Basic:
    """Names of the environment variables of a user and a password."""

    username: EnvironmentName
    password: EnvironmentName


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Auth:
    """One way to be known to a connector; all values are names of environment variables.

    `header` maps the name of a header to the variable that holds its value.
    """

    bearer: EnvironmentName | None = None
    basic: Basic | None = None
    header: Mapping[HeaderName, EnvironmentName] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class ConnectorShape:
    """A connector as `connectors.yml` has it."""

    base_url: Annotated[StrictStr, AfterValidator(_read_base_url)]
    auth: Auth | None = None
    timeout: ClockLength = Length(seconds=10)
    rate: RateField | None = None
    health: Annotated[StrictStr, AfterValidator(_read_local_path)] | None = None
    private: StrictBool = False


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Connector(ConnectorShape):
    """A system that requests may go to. `${NAME}` in `base_url` and the names in `auth` are not resolved yet."""

    name: Name


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class SourceShape:
    """A source as `connectors.yml` has it."""

    token: EnvironmentName | None = None
    secret: EnvironmentName | None = None
    kind: SourceKind | None = None
    workflows: tuple[Name, ...] | None = None
    rate: RateField | None = None
    read: StrictBool = False


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Source(SourceShape):
    """A system that may report. `token` and `secret` name environment variables; `workflows` None: all."""

    name: Name


@plain_dataclass(frozen=True, slots=True)
class Resolved:
    """A connector with the environment's values in it: where to send, and the headers that say who we are."""

    name: str
    base_url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)


def variables_of(connector: Connector) -> tuple[str, ...]:
    """The names of all environment variables that it needs, in the order of the file, each once."""
    auth = connector.auth or Auth()
    names = VARIABLE.findall(connector.base_url)
    names += [auth.bearer] if auth.bearer else []
    names += [auth.basic.username, auth.basic.password] if auth.basic else []
    names += list((auth.header or {}).values())
    return tuple(dict.fromkeys(names))


def resolve(connector: Connector, env: Mapping[str, str]) -> Resolved:
    """Put the environment's values in.

    Raises MissingVariable that names every variable that is not set, or says that `base_url` is then no
    http(s) address; the values themselves are never in the message.
    """
    missing = [name for name in variables_of(connector) if not env.get(name)]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise MissingVariable(f"connector {connector.name}: {', '.join(missing)} {verb} not set in the environment")
    base_url = VARIABLE.sub(lambda found: env[found[1]], connector.base_url).rstrip("/")
    try:
        _refuse_bad_address(base_url)
    except ValueError as fault:
        raise MissingVariable(f"connector {connector.name}: base_url: {fault}") from None
    auth = connector.auth or Auth()
    secrets = (*_secrets(auth, env), *_secrets_in_path(connector.base_url, env))
    return Resolved(connector.name, base_url, _headers(auth, env), secrets)


def _headers(auth: Auth, env: Mapping[str, str]) -> dict[str, str]:
    """The headers of RFC 6750 (bearer), RFC 7617 (basic), or the connector's own."""
    if auth.bearer:
        return {"Authorization": f"Bearer {env[auth.bearer]}"}
    if auth.basic:
        pair = f"{env[auth.basic.username]}:{env[auth.basic.password]}"
        return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
    return {name: env[variable] for name, variable in (auth.header or {}).items()}


def _secrets(auth: Auth, env: Mapping[str, str]) -> tuple[str, ...]:
    """What must be struck out of evidence and logs: the values, and the encoded pair of `basic`."""
    names = [auth.bearer, *(auth.header or {}).values()]
    names += [auth.basic.password] if auth.basic else []
    encoded = [value.removeprefix("Basic ") for value in _headers(auth, env).values() if auth.basic]
    return (*(env[name] for name in names if name), *encoded)


def _secrets_in_path(base_url: str, env: Mapping[str, str]) -> tuple[str, ...]:
    """What stands behind the host: some systems have their key in the path. A host is no secret."""
    _, _, behind = base_url.partition("://")
    return tuple(env[name] for name in VARIABLE.findall(behind.partition("/")[2]))
