"""What must hold in runbooks that nobody presses: a contract's `deliver`, `auto_fix`, `on_open` and `on_close`."""

from collections.abc import Iterator

from runbooks.faults import Fault
from runbooks.folder import Folder, matching, texts
from runbooks.shape_faults import Source
from runbooks.yaml_source import Node

BY_ITSELF = (
    "deliver.runbook",
    "exceptions.*.auto_fix.runbook",
    "routing.*.auto_fix.runbook",
    "on_open.*",
    "on_close.*",
)
NEED_A_CASE = ("replay", "retry_failed", "notify", "ask", "assign")
"""Kinds of step for which there is nothing yet where an event is delivered: no case, and nothing to send again."""


def unasked_rules(folder: Folder) -> Iterator[Fault]:
    """Inputs without a value, and in a runbook that delivers what needs a case."""
    for name, source in folder.contracts():
        for place in BY_ITSELF:
            for node in texts(source.root, place):
                book = folder.runbooks.get(str(node.data))
                yield from _inputs(source, node, book.root) if book else ()
        for node in texts(source.root, "deliver.runbook"):
            yield from _delivers(folder, source, node, name)


def _inputs(source: Source, node: Node, book: Node) -> Iterator[Fault]:
    """Nobody is there to fill in a form."""
    inputs = book.find("inputs")
    for name, (_, given) in (inputs.pairs if inputs else {}).items():
        required = given.find("required")
        if required and required.data is True and "default" not in given.pairs:
            message = f'nobody fills in "{name[:80]}", which the runbook "{str(node.data)[:80]}" requires'
            yield source.fault(node, message, "give this input a default, or name another runbook")


def _delivers(folder: Folder, source: Source, node: Node, workflow: str) -> Iterator[Fault]:
    for book in _reached(folder, str(node.data)):
        yield from _whole(source, node, book)
        for step in matching(book.root, "steps.*"):
            for kind in NEED_A_CASE:
                if kind in step.pairs:
                    message = f"{kind} in {book.file} needs a case, and where an event is delivered there is none"
                    hint = f"take it out, or use it in a runbook of the failure modes of {workflow[:80]}"
                    yield source.fault(node, message, hint)


def _whole(source: Source, node: Node, book: Source) -> Iterator[Fault]:
    mode = book.root.find("mode")
    if mode and mode.data == "shadow":
        hint = "try it with rollout: {mode: shadow}, or write mode: live"
        yield source.fault(node, f"{book.file} is in shadow: each event would wait for a yes", hint)
    for key in ("approval", "for_each"):
        if key in book.root.pairs:
            message = f"{key} in {book.file} needs a case, and where an event is delivered there is none"
            yield source.fault(node, message, "name a runbook without it")


def _reached(folder: Folder, name: str) -> list[Source]:
    """The runbook, and those that it runs."""
    waiting, found = [name], dict[str, Source]()
    while waiting:
        each = waiting.pop()
        book = folder.runbooks.get(each)
        if book and each not in found:
            found[each] = book
            waiting += [str(node.data) for node in texts(book.root, "steps.*.run")]
    return list(found.values())
