"""The policy folder that a newcomer begins with."""

from __future__ import annotations

from pathlib import Path

import runbooks
from bot.start import StartFault

STARTER = Path(runbooks.__file__).parent / "starter"


def write_starter(folder: Path) -> list[Path]:
    """Copies the starter policy into the folder, which is made if need be, and returns what was written. A file that
    is there stays as it is. Raises `StartFault` where it cannot write."""
    texts = {path.relative_to(STARTER): path.read_bytes() for path in sorted(STARTER.rglob("*")) if path.is_file()}
    try:
        return [path for at, text in texts.items() if _is_new(path := folder / at, text)]
    except OSError as fault:
        raise StartFault(f"cannot write {fault.filename or folder}: {fault.strerror}") from None


def _is_new(path: Path, text: bytes) -> bool:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("xb") as file:
            file.write(text)
    except FileExistsError:
        return False
    return True
