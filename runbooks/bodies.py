"""JSON with texts in it: the `json`, `set` and `default` of a policy file, compiled once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from runbooks.templates import Text


@dataclass(frozen=True, slots=True)
class Pairs:
    """An object of a body, in the order in which it was written. Keys are texts too."""

    items: tuple[tuple[Text, "Body"], ...]


Body: TypeAlias = "Text | Pairs | tuple[Body, ...] | str | bool | int | float | None"
"""A compiled body: `Text` where a string stood, `Pairs` for an object, a tuple for a list."""


def render_body(body: Body, render: Callable[[Text], object]) -> object:
    """Plain JSON data, with each text rendered by `render` (which keeps the type of a lone expression).

    Raises ValueError if the keys of an object do not render to texts that differ; whatever `render` raises
    goes through.
    """
    if isinstance(body, Text):
        return render(body)
    if isinstance(body, tuple):
        return [render_body(item, render) for item in body]
    if isinstance(body, Pairs):
        return _render_pairs(body, render)
    return body


def texts_of(body: Body) -> Iterator[Text]:
    """Each text in it, keys included."""
    if isinstance(body, Text):
        yield body
    elif isinstance(body, tuple):
        for item in body:
            yield from texts_of(item)
    elif isinstance(body, Pairs):
        for key, value in body.items:
            yield key
            yield from texts_of(value)


def _render_pairs(pairs: Pairs, render: Callable[[Text], object]) -> dict[str, object]:
    rendered: dict[str, object] = {}
    for key, value in pairs.items:
        name = render(key)
        if not isinstance(name, str):
            raise ValueError(f"the key {key.source!r} gives {type(name).__name__}, and a key must be a text")
        if name in rendered:
            raise ValueError(f"two keys give the same name: {name!r}")
        rendered[name] = render_body(value, render)
    return rendered
