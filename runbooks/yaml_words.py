"""What ruamel.yaml says of broken syntax, in plain words."""

from ruamel.yaml.error import MarkedYAMLError


def in_plain_words(error: MarkedYAMLError, lines: list[str], place: tuple[int, int]) -> tuple[str, str]:
    """What is wrong, and what would be right, for a syntax error at `place` (line and column from 1)."""
    problem, context = str(error.problem or ""), str(error.context or "")
    line = lines[place[0] - 1] if place[0] <= len(lines) else ""
    character = line[place[1] - 1 : place[1]]
    for words, answer in _ANSWERS:
        if words in problem:
            return answer
    if "cannot start any token" in problem:
        return _bad_start(character)
    if "quoted scalar" in context:
        return "a quoted text does not end", "close it with the quote that it began with"
    if "flow" in context:
        return _open_bracket(context)
    if "block" in context:
        return _bad_block(character)
    return "this is not YAML", "look for a missing quote, colon or space on this line or the one before"


_ANSWERS = (
    (
        "mapping values are not allowed",
        ("a : cannot stand here", 'put quotes around a text with ": " in it, or look at the indentation'),
    ),
    ("sequence entries are not allowed", ("a - cannot begin a list here", "begin it on a line of its own")),
    ("could not find expected ':'", ("a : is missing after this key", "write key: value")),
    ("could not find a required ':'", ("a : is missing after this key", "write key: value")),
    ("undefined tag handle", ("this tag is not known", "remove it; plain values only")),
    ("incompatible YAML document", ("this version of YAML is not known", "remove the %YAML line")),
    ("unknown escape character", ("this escape is not known", r"write \\ for a backslash, or use single quotes")),
    ("expected escape sequence", ("this escape is not complete", r"write \\ for a backslash, or use single quotes")),
)


def _bad_start(character: str) -> tuple[str, str]:
    if character == "\t":
        return "a tab cannot indent", "use spaces"
    return f"a text cannot begin with {character or 'this'}", "put quotes around it"


def _open_bracket(context: str) -> tuple[str, str]:
    if "mapping" in context:
        return "a { … } is not closed, or a comma is missing in it", "write {key: value, key: value}"
    return "a [ … ] is not closed, or a comma is missing in it", "write [one, two]"


def _bad_block(character: str) -> tuple[str, str]:
    if character in "'\"":
        return "a quoted text goes on after its quote", "put quotes around the whole, and '' for a ' inside '…'"
    return "this line does not fit the lines above it", "look at its indentation, and at quotes and colons before it"
