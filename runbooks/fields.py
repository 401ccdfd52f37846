"""The small values of a policy file, as field types: names, Slack ids, lengths, expressions and texts.

Each validator raises ValueError with `what is wrong; what would be right`; `faults.py` gives it a place.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    PlainValidator,
    StrictStr,
    StringConstraints,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import PydanticCustomError

from runbooks.lengths import Length
from runbooks.templates import (
    Expression,
    ExpressionFault,
    Text,
    Tree,
    compile_expression,
    compile_path,
    compile_text,
    compile_tree,
)

EVENT, CASE, RESPONSE, OUTCOME = "event", "case", "response", "outcome"
INPUTS, STEPS, ASKER, NOW = "inputs", "steps", "asker", "now"

T = TypeVar("T")
_LONGEST_PATTERN = 500


@dataclass(slots=True)
class Scope:
    """The root names that expressions may use at the place being read; the pydantic context of one file."""

    roots: frozenset[str] = field(default_factory=frozenset)

    @contextmanager
    def seeing(self, roots: frozenset[str]) -> Iterator[None]:
        """Expressions read inside see exactly these roots."""
        before, self.roots = self.roots, roots
        try:
            yield
        finally:
            self.roots = before


def sees(*roots: str) -> WrapValidator:
    """Mark a field: the expressions and texts in it may use these root names and `now`, and no others."""
    seen = frozenset((*roots, NOW))

    def read(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        scope = info.context
        if not isinstance(scope, Scope):  # made in Python, of parts that are compiled already
            return handler(value)
        with scope.seeing(seen):
            return handler(value)

    return WrapValidator(read)


@dataclass(frozen=True, slots=True)
class Blemish:
    """One expression or text that does not compile: where inside the field, and what is wrong."""

    path: tuple[str | int, ...]
    message: str
    hint: str | None
    offset: int


def _blemished(found: list[Blemish]) -> PydanticCustomError:
    return PydanticCustomError("expression", "does not compile", {"blemishes": found})


def _roots(info: ValidationInfo) -> frozenset[str]:
    return info.context.roots if isinstance(info.context, Scope) else frozenset()


def _compiler(kind: type[T], compile_source: Callable[[str, frozenset[str]], T]) -> Callable[[Any, ValidationInfo], T]:
    def read(value: Any, info: ValidationInfo) -> T:
        if isinstance(value, kind):
            return value
        if not isinstance(value, str):
            raise ValueError(wants_text(value))
        try:
            return compile_source(value, _roots(info))
        except ExpressionFault as fault:
            raise _blemished([Blemish((), fault.message, fault.hint, fault.offset)]) from None

    return read


def wants_text(value: object) -> str:
    """What to say when something else stands where a text is wanted."""
    if isinstance(value, bool):
        return f'a text is wanted; put quotes around it: "{str(value).lower()}"'
    if isinstance(value, int | float):
        return f'a text is wanted; put quotes around it: "{value}"'
    kind = "a list" if isinstance(value, list) else "a mapping" if isinstance(value, dict) else "nothing"
    return f"a text is wanted, not {kind}"


def _read_tree(value: Any, info: ValidationInfo) -> Tree:
    if isinstance(value, Tree):
        return value
    if found := list(_blemishes(value, _roots(info), ())):
        raise _blemished(found)
    return compile_tree(value, _roots(info))


def _blemishes(value: Any, roots: frozenset[str], path: tuple[str | int, ...]) -> Iterator[Blemish]:
    """All of them; `compile_tree` stops at the first."""
    if isinstance(value, str):
        yield from _blemish(value, roots, path)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _blemishes(item, roots, (*path, index))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _blemish(key, roots, (*path, key, "[key]"))
            yield from _blemishes(item, roots, (*path, key))


def _blemish(source: str, roots: frozenset[str], path: tuple[str | int, ...]) -> Iterator[Blemish]:
    try:
        compile_text(source, roots)
    except ExpressionFault as fault:
        yield Blemish(path, fault.message, fault.hint, fault.offset)


def _matching(pattern: str, advice: str, *, secret: bool = False) -> AfterValidator:
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise ValueError(advice if secret else f"{shown(value)} {advice}")
        return value

    return AfterValidator(check)


def shown(value: str) -> str:
    """A text in quotes for a fault, cut at 60 characters, control characters escaped."""
    cut = value if len(value) <= 60 else value[:59] + "…"
    return '"' + cut.encode("unicode_escape").decode() + '"' if not cut.isprintable() else f'"{cut}"'


def _read_regex(value: Any) -> re.Pattern[str]:
    if isinstance(value, re.Pattern):
        return value
    if not isinstance(value, str):
        raise ValueError(wants_text(value))
    if len(value) > _LONGEST_PATTERN:
        raise ValueError(f"this pattern is too long: at most {_LONGEST_PATTERN} characters")
    try:
        return re.compile(value)
    except (re.error, OverflowError, RecursionError) as fault:
        raise ValueError(f"is not a regular expression: {fault}; Python's `re` must compile it") from None


def _clock_only(value: Length) -> Length:
    if value.is_business:
        raise ValueError(
            f"{value} is business time, and this runs on the clock; write s, m, h, d or w, such as 30s or 2h"
        )
    return value


ExpressionField = Annotated[
    Expression, PlainValidator(_compiler(Expression, compile_expression), json_schema_input_type=str)
]
TextField = Annotated[Text, PlainValidator(_compiler(Text, compile_text), json_schema_input_type=str)]
PathField = Annotated[Text, PlainValidator(_compiler(Text, compile_path), json_schema_input_type=str)]
TreeField = Annotated[Tree, PlainValidator(_read_tree, json_schema_input_type=Any)]
ClockLength = Annotated[Length, AfterValidator(_clock_only)]
RegexField = Annotated[re.Pattern[str], PlainValidator(_read_regex, json_schema_input_type=str)]

Words = Annotated[StrictStr, StringConstraints(min_length=1, max_length=2_000)]
Title = Annotated[StrictStr, StringConstraints(min_length=1, max_length=150)]
Name = Annotated[
    StrictStr,
    _matching(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", "is not a name; use letters, digits, - _ and ., at most 63"),
]
Identifier = Annotated[
    StrictStr,
    _matching(
        r"[A-Za-z_][A-Za-z0-9_]{0,62}",
        "cannot be used in expressions; use letters, digits and _, and no digit first",
    ),
]
EnvironmentName = Annotated[
    StrictStr,
    _matching(
        r"[A-Z_][A-Z0-9_]{0,126}",
        "this is not the name of an environment variable; write its name, such as CRM_TOKEN, never the secret itself",
        secret=True,
    ),
]
ChannelId = Annotated[
    StrictStr,
    _matching(
        r"[CG][A-Z0-9]{2,20}",
        "is not a channel's id; it begins with C or G, and Slack shows it in the channel's details",
    ),
]
UserId = Annotated[
    StrictStr,
    _matching(
        r"[UW][A-Z0-9]{2,20}", "is not a person's id; it begins with U or W, and Slack shows it in the person's profile"
    ),
]
UsergroupId = Annotated[
    StrictStr,
    _matching(r"S[A-Z0-9]{2,20}", "is not a user group's id; it begins with S"),
]
_EMAIL = r"[^@\s<>,;]{1,64}@[^@\s<>,;]{1,190}\.[^@\s<>,;.]{2,60}"
Email = Annotated[StrictStr, _matching(_EMAIL, "is not an e-mail address; write name@example.com")]
Person = Annotated[
    StrictStr,
    _matching(
        rf"[UW][A-Z0-9]{{2,20}}|{_EMAIL}",
        "is neither a person's Slack id (U… or W…) nor an e-mail; Slack shows the id in the person's profile",
    ),
]
HttpsAddress = Annotated[
    StrictStr,
    _matching(r"https://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[!-~]*)?", "is not an address; write https://host/path"),
]
