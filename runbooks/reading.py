"""A policy folder on the disk: its texts, read in bounded time and memory."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from runbooks.faults import Fault, PolicyFaults

SUFFIXES = (".yml", ".yaml", ".json", ".j2", ".ics")
MAX_FILES = 1_000
MAX_BYTES = 1024 * 1024
MAX_FOLDER_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 4
_MAX_ENTRIES = 20_000


def read_folder(folder: Path) -> dict[str, str]:
    """The texts of the policy files below a folder, by their paths in it with `/` between.

    Files of other kinds (a README) and hidden ones are left out. Raises PolicyFaults if the folder cannot be
    read, a file is not UTF-8, leads out of the folder, or a limit is passed: 1,000 files, 1 MiB each, 4 MiB
    in all, 4 levels.
    """
    root = folder.resolve()
    faults: list[Fault] = []
    texts: dict[str, str] = {}
    try:
        for path in _files(root, faults):
            _read(root, path, texts, faults)
    except OSError as error:
        faults.append(_fault(root, folder, f"cannot be read: {error.strerror or error}", None))
    if faults:
        raise PolicyFaults(tuple(sorted(faults, key=str)))
    return texts


def _files(root: Path, faults: list[Fault]) -> Iterator[Path]:
    waiting, entries = [(root, 0)], 0
    while waiting:
        folder, depth = waiting.pop()
        for entry in sorted(os.scandir(folder), key=lambda found: found.name):
            entries += 1
            if entries > _MAX_ENTRIES:
                faults.append(_fault(root, folder, "too many files", "keep the policy in a folder of its own"))
                return
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                inside = depth < MAX_DEPTH and Path(entry.path).resolve().is_relative_to(root)
                waiting += [(Path(entry.path), depth + 1)] if inside else []
            elif entry.name.endswith(SUFFIXES):
                yield Path(entry.path)


def _read(root: Path, path: Path, texts: dict[str, str], faults: list[Fault]) -> None:
    if not path.resolve().is_relative_to(root):
        faults.append(_fault(root, path, "leads out of the folder", "copy the file here"))
        return
    name = path.relative_to(root).as_posix()
    try:
        content = _bytes(path)
        texts[name] = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        faults.append(Fault(_printable(name), line, column, "is not UTF-8", "save the file as UTF-8"))
    except (OSError, ValueError) as error:
        faults.append(_fault(root, path, f"cannot be read: {getattr(error, 'strerror', None) or error}", None))
    if len(texts) > MAX_FILES or sum(map(len, texts.values())) > MAX_FOLDER_BYTES:
        hint = f"a policy has at most {MAX_FILES} files and {MAX_FOLDER_BYTES // 1024} KiB"
        raise PolicyFaults((*faults, _fault(root, path, "the folder is too large", hint)))


def _bytes(path: Path) -> bytes:
    """The content of a regular file; never waits on a pipe or a device."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("it is not a regular file")
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"it is larger than {MAX_BYTES // 1024} KiB")
    return content


def _fault(root: Path, path: Path, message: str, hint: str | None) -> Fault:
    name = path.relative_to(root).as_posix() if path != root and path.is_relative_to(root) else str(path)
    return Fault(_printable(name), 1, 1, message, hint)


def _printable(name: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in name)
