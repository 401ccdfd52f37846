"""What `pointsman contracts diff` prints: the changes between two folders for people, machines and GitHub."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path

from bot.start import StartFault
from runbooks.differences import Change, differences, part_of, without_step, workflow_of
from runbooks.policy import Policy, PolicyFaults, load, read_folder


@dataclass(frozen=True, slots=True)
class Compared:
    """Two folders, what changed from the one to the other, and the workflows that need a higher version."""

    before: Policy
    after: Policy
    folder: Path
    changes: tuple[Change, ...]
    without_step: tuple[str, ...]

    @property
    def breaking(self) -> int:
        """How many changes break something."""
        return sum(change.breaking for change in self.changes)


def compare(old: Path, new: Path) -> Compared:
    """Both folders, compared. Raises `StartFault` with all faults of one that cannot be loaded."""
    before, after = _load(old), _load(new)
    changes = differences(before, after)
    return Compared(before, after, new, changes, without_step(before, after, changes))


def _load(folder: Path) -> Policy:
    try:
        return load(read_folder(folder))
    except PolicyFaults as faults:
        raise StartFault(f"{folder} cannot be read as a policy folder:\n{faults}") from None


def told(compared: Compared, form: str) -> str:
    """The comparison as text, json or github, without a line's end."""
    return {"text": _text, "json": _json, "github": _github}[form](compared)


def _text(compared: Compared) -> str:
    lines = [line for part, changes in _by_part(compared) for line in _part(compared, part, changes)]
    lines += [f"!! {_needs_step(compared, name)}" for name in compared.without_step]
    if not compared.changes:
        return "no changes"
    return "\n".join([*lines, f"{_count(len(compared.changes), 'change')}, {compared.breaking} breaking"])


def _by_part(compared: Compared) -> Iterator[tuple[str, Iterator[Change]]]:
    return groupby(compared.changes, key=lambda change: change.part)


def _part(compared: Compared, part: str, changes: Iterator[Change]) -> Iterator[str]:
    yield f"{part}{_versions(compared, part)}"
    for change in changes:
        place = f"{change.file}:{change.line}: " if change.file else ""
        yield f"  {'BREAKS' if change.breaking else '      '}  {place}{change.words}"


def _versions(compared: Compared, part: str) -> str:
    name = workflow_of(part)
    if name is None or name not in compared.before.workflows or name not in compared.after.workflows:
        return ""
    was, now = compared.before.workflows[name].version, compared.after.workflows[name].version
    return f", version {was}" if was == now else f", version {was} → {now}"


def _needs_step(compared: Compared, workflow: str) -> str:
    was, now = compared.before.workflows[workflow].version, compared.after.workflows[workflow].version
    return f"{workflow} breaks something and is at version {now}: write version: {max(was, now) + 1} or higher"


def _count(count: int, name: str) -> str:
    return f"{count} {name}{'' if count == 1 else 's'}"


def _json(compared: Compared) -> str:
    content = {
        "changes": [asdict(change) for change in compared.changes],
        "breaking": compared.breaking,
        "needs_higher_version": list(compared.without_step),
    }
    return json.dumps(content, indent=2, ensure_ascii=False)


def _github(compared: Compared) -> str:
    """Workflow commands of GitHub Actions, an annotation each: an error where a higher version is missing, a warning
    for what breaks otherwise, a notice for the rest."""
    needing = {part_of(name) for name in compared.without_step}
    lines = [
        _annotation(_level(change, needing), _file(compared, change.file), change.line, change.part, change.words)
        for change in compared.changes
    ]
    for name in compared.without_step:
        file = f"workflows/{name}.yml"
        line = _version_line(compared.after.files[file].splitlines())
        lines.append(_annotation("error", _file(compared, file), line, part_of(name), _needs_step(compared, name)))
    return "\n".join(lines)


def _level(change: Change, needing: set[str]) -> str:
    if not change.breaking:
        return "notice"
    return "error" if change.part in needing else "warning"


def _file(compared: Compared, file: str) -> str:
    return (compared.folder / file).as_posix() if file else ""


def _version_line(lines: Sequence[str]) -> int:
    return next((number for number, line in enumerate(lines, 1) if line.startswith("version")), 1)


def _annotation(level: str, file: str, line: int, title: str, message: str) -> str:
    place = f"file={_property(file)},line={line}," if file else ""
    return f"::{level} {place}title={_property(title)}::{_data(message)}"


def _data(text: str) -> str:
    """Escaped as GitHub's own toolkit does it."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
