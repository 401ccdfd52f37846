"""Kinds of step that other packages add, by the Python entry point `pointsman.steps`.

Loaded once, before the first runbook is read. What cannot be used is a fault and adds nothing; the service does not
start with one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

if TYPE_CHECKING:
    from runbooks.steps.shape import Kind

GROUP = "pointsman.steps"
ADDED: dict[str, Kind] = {}
"""The kinds that can be used, by name."""
FAULTS: list[str] = []
"""What cannot be used, a line for each: which package, what is wrong, what would be right."""
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_FUNCTIONS = ("act", "plainly", "changes", "judge")


def load(taken: frozenset[str]) -> None:
    """Loads what is installed. `taken`: the keys that a step has already."""
    found = sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value))
    for point in found:
        try:
            kind = point.load()
        except Exception as fault:
            FAULTS.append(f"{_who(point)} cannot be imported: {type(fault).__name__}: {_first_line(fault)}; {_MEND}")
            continue
        if wrong := next(_wrong(point, kind, taken), None):
            FAULTS.append(f"{_who(point)} {wrong}; {_MEND}")
        else:
            ADDED[kind.name] = kind


_MEND = "mend the package, or remove it"


def _wrong(point: EntryPoint, kind: Any, taken: frozenset[str]) -> Iterator[str]:
    missing = [name for name in _FUNCTIONS if not callable(getattr(kind, name, None))]
    missing += [name for name in ("name", "shape") if not hasattr(kind, name)]
    name = getattr(kind, "name", None)
    if missing or not isinstance(name, str):
        yield f"is no kind of step (no {', '.join(missing) or 'name'}): it has to be a runbooks.steps.shape.Kind"
    elif name != point.name:
        yield f'calls its kind "{name[:40]}": the entry point has to be called the same'
    elif not _NAME.fullmatch(name):
        yield "has a name that cannot be a key: small letters, digits and _ are wanted"
    elif name in taken or name in ADDED:
        yield f'adds "{name}", which there is already'
    elif not _can_be_read(kind.shape):
        yield "has a shape that pydantic cannot read"


def _can_be_read(shape: Any) -> bool:
    try:
        TypeAdapter(shape).json_schema()
    except Exception:
        return False
    return True


def _who(point: EntryPoint) -> str:
    package = f" of the package {point.dist.name}" if point.dist else ""
    return f'the kind of step "{point.name[:40]}"{package} ({point.value[:100]})'


def _first_line(fault: BaseException) -> str:
    return str(fault).strip().partition("\n")[0][:200] or "it says nothing more"
