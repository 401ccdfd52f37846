"""The expressions and texts of a policy: Jinja2's expressions, and texts with `{{ }}` only.

Both are compiled once and evaluated often. Names are mappings of JSON values (and instants for `now` and the
like). Items come before everything: there are no attributes and no methods. Work, growth and nesting are
bounded, whatever the policy or the data say.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import quote

from jinja2 import TemplateError

from runbooks import values
from runbooks.expressions import Run, compile_run
from runbooks.values import TEXT_LIMIT, ExpressionFault, Frame, Missing

__all__ = [
    "ROOTS",
    "Decision",
    "Expression",
    "ExpressionFault",
    "Missing",
    "Text",
    "Tree",
    "compile_expression",
    "compile_path",
    "compile_text",
    "compile_tree",
    "render_tree",
]

ROOTS = frozenset({"asker", "case", "event", "inputs", "now", "outcome", "response", "steps"})
"""Every root name that there is; each place in a policy sees some of them."""

_FACT_LIMIT = 200
_FACTS = 50
_IS_DEFINED = re.compile(r"([\w.]+) is defined")
_OPENING = re.compile(r"\{[{%#]")
_INSIDE = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|[\[({]|\}\}|[\])}]", re.S)
_SAID_WITHOUT_DATA = (TypeError, ArithmeticError, RecursionError, MemoryError, TemplateError)
_SAID_WITH_DATA = (ValueError, LookupError)


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a condition is met, and because of what, in words without values: `event.tier is missing`."""

    met: bool
    because: str


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression."""

    source: str
    run: Run = field(repr=False, compare=False)

    def evaluate(self, names: Mapping[str, object]) -> object:
        """The value, as JSON knows it (instants as RFC 3339 texts).

        Raises Missing with the path of data that is not there, and ExpressionFault for anything else.
        """
        frame = Frame(names)
        return values.plain(_guarded(self, frame), frame)

    def decide(self, names: Mapping[str, object]) -> Decision:
        """Whether the condition is met; missing data is "not met". Raises ExpressionFault if the value is
        neither true nor false."""
        try:
            met = _guarded(self, Frame(names))
        except Missing as missing:
            return Decision(False, str(missing))
        if not isinstance(met, bool):
            raise ExpressionFault(f"{_shown(self.source)} gives {values.kind(met)}", "a condition is true or false")
        asked_for = _IS_DEFINED.fullmatch(self.source.strip())
        unmet = f"{asked_for[1]} is missing" if asked_for else f"{_shown(self.source)} is false"
        return Decision(met, _shown(self.source) if met else unmet)

    def facts(self, names: Mapping[str, object]) -> dict[str, object]:
        """The paths that the evaluation read, with their values, for the audit log; what was missing is left
        out.

        At most 50, short: texts are cut at 200 characters, lists and mappings told by their size, and integers
        beyond 2^53 (which RFC 8785 refuses) are texts. Redacted fields are the caller's to take out.
        """
        frame = Frame(names)
        with suppress(Missing, ExpressionFault):
            _guarded(self, frame)
        return {path[:_FACT_LIMIT]: _fact(frame.reads[path]) for path in list(frame.reads)[:_FACTS]}


@dataclass(frozen=True, slots=True)
class Text:
    """A compiled text: literal pieces and expressions. `is_path`: each expression is percent-encoded."""

    source: str
    parts: tuple[str | Expression, ...]
    is_path: bool = False

    def render(self, names: Mapping[str, object]) -> object:
        """The text; or the value itself, with its type, if the text is exactly one `{{ expression }}`.

        In a text, null counts as missing; in a path, an empty value does as well. Raises Missing, and
        ExpressionFault for anything else that goes wrong (also a text of more than 64 KiB, and a path whose
        data make it climb by `.` or `..`).
        """
        only = self.parts[0] if len(self.parts) == 1 else None
        if isinstance(only, Expression) and not self.is_path:
            return only.evaluate(names)
        return self.render_text(names)

    def render_text(self, names: Mapping[str, object]) -> str:
        """The text as a str, also where it is exactly one expression. Raises as `render` does."""
        frame = Frame(names)
        pieces = [each if isinstance(each, str) else self._piece(each, frame) for each in self.parts]
        rendered = "".join(pieces)
        if len(rendered) > TEXT_LIMIT or len(rendered.encode(errors="replace")) > TEXT_LIMIT:
            raise ExpressionFault(f"{_shown(self.source)} gives a text of more than {TEXT_LIMIT // 1024} KiB")
        if self.is_path and {".", ".."} & set(rendered.partition("?")[0].split("/")):
            raise ExpressionFault(f"{_shown(self.source)} gives a path that climbs by . or ..")
        return rendered

    def _piece(self, expression: Expression, frame: Frame) -> str:
        value = _guarded(expression, frame)
        if value is None or (self.is_path and value == ""):
            raise Missing(_shown(expression.source))
        frame.spend(values.cost(value))
        text = values.text_of(value)
        values.fits(len(text))
        return _quoted(text) if self.is_path else text


@dataclass(frozen=True, slots=True)
class Tree:
    """A compiled JSON body: mappings and lists whose keys and texts are compiled texts."""

    node: "Text | dict[Text, Tree] | list[Tree] | int | float | bool | None"


def compile_expression(source: str, roots: frozenset[str] = ROOTS) -> Expression:
    """Compile one bare expression. Raises ExpressionFault with the offset of what is wrong."""
    return Expression(source, compile_run(source, roots))


def compile_text(source: str, roots: frozenset[str] = ROOTS) -> Text:
    """Compile a text with `{{ expression }}` in it. Statements and comments are refused.

    Raises ExpressionFault with the offset, in the text, of what is wrong.
    """
    if len(source) > TEXT_LIMIT:
        raise ExpressionFault(f"a text of more than {TEXT_LIMIT // 1024} KiB")
    return Text(source, tuple(_parts(source, roots)))


def compile_path(source: str, roots: frozenset[str] = ROOTS) -> Text:
    """Compile the path (and query) of a request: what an expression gives is percent-encoded, `/` too
    (RFC 3986, section 2.1), so that data stay within their segment. Raises ExpressionFault."""
    text = compile_text(source, roots)
    return Text(text.source, text.parts, is_path=True)


def compile_tree(value: object, roots: frozenset[str] = ROOTS) -> Tree:
    """Compile every text and key of a JSON value. Raises ExpressionFault with a pointer to the text."""
    return _compiled_tree(value, roots, ())


def render_tree(tree: Tree, names: Mapping[str, object]) -> object:
    """The JSON value of a compiled tree. Raises Missing, and ExpressionFault, also if two keys of one mapping
    are the same."""
    if isinstance(tree.node, Text):
        return tree.node.render(names)
    if isinstance(tree.node, list):
        return [render_tree(each, names) for each in tree.node]
    if not isinstance(tree.node, dict):
        return tree.node
    rendered: dict[str, object] = {}
    for key, each in tree.node.items():
        name = key.render_text(names)
        if name in rendered:
            raise ExpressionFault(
                f"{_shown(key.source)} gives a key that is there already", "give each key a name of its own"
            )
        rendered[name] = render_tree(each, names)
    return rendered


def _compiled_tree(value: object, roots: frozenset[str], pointer: tuple[str | int, ...]) -> Tree:
    if isinstance(value, Mapping):
        keys = [(str(key), _at((*pointer, str(key)), str(key), roots)) for key in value]
        pairs = zip(keys, value.values(), strict=True)
        return Tree({key: _compiled_tree(each, roots, (*pointer, name)) for (name, key), each in pairs})
    if isinstance(value, list | tuple):
        return Tree([_compiled_tree(each, roots, (*pointer, index)) for index, each in enumerate(value)])
    if isinstance(value, str):
        return Tree(_at(pointer, value, roots))
    if value is None or isinstance(value, int | float):
        return Tree(value)
    raise ExpressionFault(f"{type(value).__name__} is not a value that JSON knows", pointer=pointer)


def _at(pointer: tuple[str | int, ...], source: str, roots: frozenset[str]) -> Text:
    try:
        return compile_text(source, roots)
    except ExpressionFault as fault:
        raise ExpressionFault(fault.message, fault.hint, fault.offset, pointer) from None


def _parts(source: str, roots: frozenset[str]) -> Iterator[str | Expression]:
    at = 0
    while opening := _OPENING.search(source, at):
        if opening[0] != "{{":
            hint = f"write {{{{ '{opening[0]}' }}}} for the characters themselves"
            raise ExpressionFault(f"a text has expressions only, no {opening[0]}", hint, opening.start())
        if opening.start() > at:
            yield source[at : opening.start()]
        end = _closing(source, opening.end())
        yield _embedded(source[opening.end() : end], roots, opening.end())
        at = end + 2
    if at < len(source) or not source:
        yield source[at:]


def _closing(source: str, start: int) -> int:
    """Where the `}}` of an expression stands, past its strings, lists and mappings."""
    depth = 0
    at = start
    while found := _INSIDE.search(source, at):
        at = found.end()
        if found[0] in "[({":
            depth += 1
        elif found[0] == "}}" and depth < 1:
            return found.start()
        elif found[0] in ("]", ")", "}", "}}"):
            depth -= 1
            at = found.start() + 1
    raise ExpressionFault("{{ without its }}", "close the expression", start - 2)


def _embedded(source: str, roots: frozenset[str], offset: int) -> Expression:
    if source[:1] in ("-", "+") or source[-1:] in ("-", "+"):
        hint = "put a space between {{ and the sign"
        raise ExpressionFault("whitespace control is not part of a text", hint, offset)
    try:
        compiled = compile_expression(source, roots)
    except ExpressionFault as fault:
        raise ExpressionFault(fault.message, fault.hint, offset + fault.offset) from None
    return Expression(source.strip(), compiled.run)


def _guarded(expression: Expression, frame: Frame) -> object:
    """Run an expression; whatever goes wrong in it is Missing or ExpressionFault."""
    try:
        return expression.run(frame)
    except Missing as missing:
        raise missing if missing.path else Missing(_shown(expression.source)) from None
    except ExpressionFault as fault:
        raise ExpressionFault(f"{_shown(expression.source)}: {fault.message}", fault.hint) from None
    except _SAID_WITHOUT_DATA as error:
        raise ExpressionFault(f"{_shown(expression.source)}: {_shown(str(error))}") from None
    except _SAID_WITH_DATA:
        raise ExpressionFault(f"{_shown(expression.source)}: a value that does not go there") from None


def _quoted(text: str) -> str:
    try:
        return quote(text, safe="")
    except UnicodeEncodeError:
        raise ExpressionFault("a text that cannot be written as UTF-8") from None


def _shown(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 120 else text[:119] + "…"


def _fact(value: object) -> object:
    if isinstance(value, Mapping | list | tuple):
        return f"{values.kind(value)} of {len(value)}"
    if isinstance(value, str):
        return value if len(value) <= _FACT_LIMIT else value[: _FACT_LIMIT - 1] + "…"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**53:
        return str(value) if value.bit_length() < 256 else "a very large number"
    try:
        return values.plain(value, Frame({}))
    except ExpressionFault as fault:
        return fault.message
