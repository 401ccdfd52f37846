"""Secrets struck out of what systems answer, in every form in which an answer may repeat them."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from urllib.parse import quote, quote_plus

STRUCK_OUT = "•••"
SHORTEST_ENCODED = 4
"""Of a shorter secret only its plain form is struck out: its encoded ones are too common."""
_ESCAPE = re.compile(r"%[0-9A-F]{2}")


@lru_cache(maxsize=256)
def forms(secret: str) -> tuple[str, ...]:
    """The secret, and how it looks in an address, in JSON, in HTML, in hexadecimal and in Base64."""
    if not secret:
        return ()
    encoded = _encoded(secret) if len(secret) >= SHORTEST_ENCODED else ()
    return tuple(dict.fromkeys((secret, *encoded)))


def _encoded(secret: str) -> Iterator[str]:
    raw = secret.encode(errors="surrogatepass")
    for each in (quote(raw, safe=""), quote(raw), quote_plus(raw), "".join(f"%{byte:02X}" for byte in raw)):
        yield from (each, _ESCAPE.sub(lambda found: found[0].lower(), each))
    for each in (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]):
        yield from (each, each.replace("/", "\\/"))
    escaped = "".join(f"\\u{ord(each):04x}" for each in secret)
    yield from (escaped, html.escape(secret), html.escape(secret, quote=False), raw.hex(), raw.hex().upper())
    yield from _in_base64(raw)


def _in_base64(raw: bytes) -> Iterator[str]:
    """The characters of Base64 (RFC 4648) that hold nothing but the secret, wherever it stands in what is encoded."""
    for before in range(3):
        first, last = -(-before * 8 // 6), (before + len(raw)) * 8 // 6
        text = base64.b64encode(bytes(before) + raw).decode()[first:last]
        yield from (text, text.translate(_FOR_ADDRESSES))


_FOR_ADDRESSES = str.maketrans("+/", "-_")


def struck_out(text: str, secrets: Iterable[str], *, most: int | None = None) -> str:
    """The text without the secrets, cut after `most` of its characters; a secret that stands across the cut is struck
    out whole."""
    found = {form for secret in secrets for form in forms(secret) if form in text}
    if not found:
        return text[:most]
    either = re.compile("|".join(re.escape(form) for form in sorted(found, key=len, reverse=True)))
    end, at, pieces = len(text) if most is None else most, 0, list[str]()
    for each in either.finditer(text):
        if each.start() >= end:
            break
        pieces += [text[at : each.start()], STRUCK_OUT]
        at = each.end()
    return "".join((*pieces, text[at : max(at, end)]))


def struck_out_of(value: object, secrets: tuple[str, ...]) -> object:
    """A JSON value without the secrets, in keys and texts at any depth."""
    if isinstance(value, str):
        return struck_out(value, secrets)
    if isinstance(value, list):
        return [struck_out_of(each, secrets) for each in value]
    if isinstance(value, dict):
        return {struck_out(name, secrets): struck_out_of(each, secrets) for name, each in value.items()}
    return value


def longest_form(secrets: Iterable[str]) -> int:
    """How many characters the longest form of any of them has."""
    return max((len(form) for secret in secrets for form in forms(secret)), default=0)
