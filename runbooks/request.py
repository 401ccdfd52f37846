"""A request to a connector, and how often to try: the shape that contracts and runbooks share."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, StrictInt
from pydantic.dataclasses import dataclass

from runbooks.connectors import HeaderName
from runbooks.fields import ClockLength, Name, PathField, TextField, TreeField
from runbooks.lengths import Length
from runbooks.templates import Text

STRICT = ConfigDict(extra="forbid", arbitrary_types_allowed=True)
CARRIERS = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "expect"}
)
"""Headers that say where a request goes and where it ends."""
Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


def _begins_with_slash(path: Text) -> Text:
    if not path.source.startswith("/") or path.source.startswith("//"):
        raise ValueError("a path begins with one /; the host comes from the connector")
    return path


def _may_be_set(name: str) -> str:
    if name.lower() in CARRIERS:
        raise ValueError(
            f"{name} is not for a policy to set; leave it out: the connector's host and the body decide it"
        )
    return name


SentHeader = Annotated[HeaderName, AfterValidator(_may_be_set)]


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Request:
    """What is sent. `connector` None: the one of the `deliver` around it. Expressions in `path` are encoded."""

    connector: Name | None = None
    method: Method = "GET"
    path: Annotated[PathField, AfterValidator(_begins_with_slash)]
    query: Mapping[str, TreeField] = Field(default_factory=dict)
    headers: Mapping[SentHeader, TextField] = Field(default_factory=dict)
    json: TreeField | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Retry:
    """`attempts` in all; the wait after attempt n is `first` × `factor`^(n-1), at most `max`."""

    attempts: Annotated[StrictInt, Field(ge=1, le=100)] = 1
    first: ClockLength = Length(seconds=1)
    factor: Annotated[float, Field(ge=1, le=10, strict=True)] = 2.0
    max: ClockLength = Length(seconds=60)
