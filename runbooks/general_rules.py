"""What must hold in every file: values where there is a key, names that are the file's, wordings that compile."""

from collections.abc import Iterator, Mapping

from runbooks.faults import Fault
from runbooks.fields import ASKER, CASE, EVENT, INPUTS, NOW, STEPS
from runbooks.folder import Folder
from runbooks.shape_faults import Source
from runbooks.templates import ExpressionFault, compile_text
from runbooks.yaml_source import Node

_FREE = ("json", "set", "default")
"""Keys under which any JSON may stand, null too."""


def general_rules(folder: Folder, files: Mapping[str, str]) -> Iterator[Fault]:
    """The faults that every kind of file can have."""
    for source in (folder.team, folder.connectors):
        yield from _empty(source, source.root) if source else ()
    for key, named in (("workflow", folder.contracts()), ("runbook", folder.books())):
        for name, source in named:
            yield from _empty(source, source.root)
            yield from _own_name(source, key, name)
    for name, text in files.items():
        if name.startswith("templates/"):
            yield from _wording(name, text)


def _empty(source: Source, node: Node) -> Iterator[Fault]:
    """A key without a value is half a thought: in YAML it is null, which means nothing here."""
    for item in node.items:
        if item.data is None:
            yield source.fault(item, "an item of this list is empty", "write one, or remove the -")
        yield from _empty(source, item)
    for name, (key, value) in node.pairs.items():
        if name in _FREE:
            continue
        if value.data is None:
            hint = "write one ({} for an empty mapping, [] for an empty list), or remove the key"
            yield source.fault(key, f"{name[:80]} has no value", hint)
        yield from _empty(source, value)


def _own_name(source: Source, key: str, name: str) -> Iterator[Fault]:
    written = source.root.find(key)
    if written and written.text is not None and written.text != name:
        folder = source.file.partition("/")[0]
        hint = f'name the file {folder}/{written.text[:63]}.yml, or write "{name}"'
        yield source.fault(written, f'"{written.text[:63]}" stands in a file of another name', hint)


def _wording(file: str, text: str) -> Iterator[Fault]:
    try:
        compile_text(text, frozenset((EVENT, CASE, INPUTS, STEPS, ASKER, NOW)))
    except ExpressionFault as fault:
        before = text[: fault.offset]
        column = len(before) - before.rfind("\n")
        yield Fault(file, before.count("\n") + 1, column, fault.message, fault.hint)
