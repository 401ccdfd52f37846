"""Reading the source of an expression with Jinja2's own parser, and the place of what is wrong in it."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.parser import Parser

from runbooks.suggestions import nearest
from runbooks.values import ExpressionFault

SOURCE_LIMIT = 4_096
"""Characters of an expression's source."""

_DEPTH_LIMIT = 100
_ENVIRONMENT = Environment(autoescape=False)  # noqa: S701 (nothing here is HTML)
_TIPS = {
    "=": "write == to compare",
    "&": "write and",
    "!": "write not",
    "?": "write A if CONDITION else B",
    "}": "write the expression alone, without {{ and }}",
}
_OTHER_WORDS = {"null": "none", "nil": "none", "undefined": "none", "TRUE": "true", "FALSE": "false"}


@dataclass(frozen=True, slots=True)
class Scope:
    """What a piece of an expression is compiled in: the source, and the names that it may use."""

    source: str
    roots: frozenset[str]

    def refuse(self, message: str, found: str, *, hint: str | None = None, after: str = "") -> ExpressionFault:
        """A fault at the first place where the word `found` stands (after the token `after`, if given)."""
        words = ["", *(word for _, word in _tokens(self.source))]
        spots = [(at, words[index]) for index, (at, word) in enumerate(_tokens(self.source)) if word == found]
        exact = (at for at, before in spots if (before == after if after else before not in (".", "|")))
        return ExpressionFault(message, hint, next(exact, spots[0][0] if spots else 0))


def parse(source: str) -> nodes.Expr:
    """The syntax tree of an expression. Raises ExpressionFault with the offset of what is wrong."""
    if len(source) > SOURCE_LIMIT:
        raise ExpressionFault(f"an expression of more than {SOURCE_LIMIT // 1024} KiB")
    if not source.strip():
        raise ExpressionFault("an empty expression")
    try:
        tree = _parsed(source)
    except (RecursionError, ValueError) as error:
        raise ExpressionFault(f"this expression cannot be read: {error}") from None
    _check_depth(tree)
    return tree


def known_names(found: str, known: Iterable[str]) -> str:
    """A hint: the known name that is nearest to what was found, or else all of them."""
    names = sorted(known)
    near = _OTHER_WORDS.get(found) or nearest(found, names)
    return f"did you mean {near}?" if near else f"there are {', '.join(names)}"


def _parsed(source: str) -> nodes.Expr:
    parser = None
    try:
        parser = Parser(_ENVIRONMENT, source, state="variable")
        tree = parser.parse_expression()
    except TemplateSyntaxError as error:
        raise _unreadable(source, parser, re.sub(r" at \d+$", "", error.message or "")) from None
    if not parser.stream.eos:
        raise _unreadable(source, parser, "the expression should end here")
    return tree


def _unreadable(source: str, parser: Parser | None, message: str) -> ExpressionFault:
    """The fault where the parser stopped: as many tokens before the end as it has not taken."""
    places = list(_tokens(source))
    offset = len(source)
    if _ends_early(source):
        offset = places[-1][0] + len(places[-1][1]) if places else 0
        offset += len(source[offset:]) - len(source[offset:].lstrip())
    elif parser is not None and not parser.stream.eos:
        left = 1 + sum(1 for _ in parser.stream) - 1
        offset = places[-left][0] if left <= len(places) else 0
    found = source[offset : offset + 1]
    return ExpressionFault(message, _TIPS.get(found), offset)


def _ends_early(source: str) -> bool:
    """True if the lexer itself stops: a character that is in no token."""
    try:
        list(_ENVIRONMENT.lexer.tokeniter(source, None, state="variable"))
    except TemplateSyntaxError:
        return True
    return False


def _tokens(source: str) -> Iterator[tuple[int, str]]:
    """The offset and text of each token, as far as they can be read."""
    at = 0
    try:
        for _, name, word in _ENVIRONMENT.lexer.tokeniter(source, None, state="variable"):
            if name != "whitespace":
                yield at, word
            at += len(word)
    except TemplateSyntaxError:
        return


def _check_depth(tree: nodes.Node) -> None:
    level: list[nodes.Node] = [tree]
    for _ in range(_DEPTH_LIMIT):
        level = [child for node in level for child in node.iter_child_nodes()]
        if not level:
            return
    raise ExpressionFault(f"an expression nested more than {_DEPTH_LIMIT} deep")
