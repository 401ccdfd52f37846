"""The files of a policy folder sorted by what they are, and parsed."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from runbooks.event_schemas import parse_schema
from runbooks.faults import Fault
from runbooks.folder import Folder
from runbooks.reading import MAX_FILES, MAX_FOLDER_BYTES
from runbooks.shape_faults import Source
from runbooks.suggestions import nearest
from runbooks.yaml_source import FORBIDDEN, Node, parse_yaml

TEAM, CONNECTORS = "team.yml", "connectors.yml"
_PLACES = {"workflows": ".yml", "runbooks": ".yml", "schemas": ".json", "templates": ".j2"}


def parse_folder(files: Mapping[str, str]) -> tuple[Folder, list[Fault]]:
    """Parse every file. What cannot be parsed is a fault, and None in the folder."""
    faults = list(_limits(files))
    if faults:
        return Folder(), faults
    readable = {name: text for name, text in sorted(files.items()) if not _is_spoilt(name, text, faults)}
    faults += _misplaced(files)
    if TEAM not in files:
        faults.append(
            Fault(TEAM, 1, 1, "there is no team.yml", "write who owns what in it, or start with pointsman init")
        )
    folder = Folder(
        team=_yaml(TEAM, readable, faults),
        connectors=_yaml(CONNECTORS, readable, faults) if CONNECTORS in files else _nothing(CONNECTORS),
        workflows=_inside("workflows", files, lambda name: _yaml(name, readable, faults)),
        runbooks=_inside("runbooks", files, lambda name: _yaml(name, readable, faults)),
        schemas=_inside("schemas", files, lambda name: _schema(name, readable, faults), keep_suffix=True),
        calendars={name: text for name, text in readable.items() if name.endswith(".ics")},
    )
    return folder, faults


def _limits(files: Mapping[str, str]) -> Iterator[Fault]:
    if len(files) > MAX_FILES or sum(map(len, files.values())) > MAX_FOLDER_BYTES:
        hint = f"a policy has at most {MAX_FILES} files and {MAX_FOLDER_BYTES // 1024} KiB"
        yield Fault(TEAM, 1, 1, "the folder is too large", hint)


def _is_spoilt(name: str, text: str, faults: list[Fault]) -> bool:
    """Add a fault, and say True, if a text holds a character that no file may hold."""
    found = FORBIDDEN.search(text)
    if found:
        before = text[: found.start()]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        faults.append(Fault(name, line, column, f"the character U+{ord(found[0]):04X} may not stand here", "remove it"))
    return found is not None


def _misplaced(files: Mapping[str, str]) -> Iterator[Fault]:
    """A file in the wrong place would be left out without a word."""
    for name in sorted(files):
        if not _is_placed(name):
            yield Fault(name, 1, 1, "is no part of a policy folder", _better_place(name))


def _is_placed(name: str) -> bool:
    folder, _, rest = name.partition("/")
    if name in (TEAM, CONNECTORS) or name.endswith(".ics"):
        return True
    return folder in _PLACES and "/" not in rest and rest.endswith(_PLACES[folder]) and rest != _PLACES[folder]


def _better_place(name: str) -> str:
    folder, _, rest = name.rpartition("/")
    stem = rest.rpartition(".")[0]
    near = nearest(folder or rest, _PLACES if folder else (TEAM, CONNECTORS))
    if near:
        return f'did you mean "{near}/{stem}{_PLACES[near]}"?' if folder else f'did you mean "{near}"?'
    return "it holds team.yml, connectors.yml, workflows/*.yml, runbooks/*.yml, schemas/*.json, templates/*.j2, *.ics"


def _inside(
    folder: str, files: Mapping[str, str], read: Callable[[str], Any], *, keep_suffix: bool = False
) -> dict[str, Any]:
    names = [name for name in sorted(files) if name.startswith(f"{folder}/") and _is_placed(name)]
    return {(name if keep_suffix else name.rpartition(".")[0]).removeprefix(f"{folder}/"): read(name) for name in names}


def _yaml(name: str, files: Mapping[str, str], faults: list[Fault]) -> Source | None:
    if name not in files:
        return None
    root, found = parse_yaml(name, files[name])
    faults += found
    if root is None and not found:
        faults.append(Fault(name, 1, 1, "this file is empty", "write key: value in it, or remove the file"))
    elif root and not isinstance(root.data, dict):
        faults.append(Fault(name, root.line, root.column, "this file is not a mapping", "write key: value, one a line"))
        return None
    return Source(name, root) if root else None


def _nothing(name: str) -> Source:
    return Source(name, Node(1, 1, {}))


def _schema(name: str, files: Mapping[str, str], faults: list[Fault]) -> Any:
    if name not in files:
        return None
    data, found = parse_schema(name, files[name])
    faults += found
    return data
