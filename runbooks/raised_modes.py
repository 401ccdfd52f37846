"""Which failure modes the machine itself can report by a contract."""

from collections.abc import Iterator

from runbooks.contracts import OTHER, Contract


def raised_modes(contract: Contract) -> tuple[str, ...]:
    """The modes that the parts of the contract can lead to, each once, in the order in which an event meets them.
    Those about the policy and about messages are everywhere, and are not among them."""
    return tuple(dict.fromkeys(_raised(contract)))


def without_route(contract: Contract) -> tuple[str, ...]:
    """Those of them that it neither names nor has an `other` for: they go to the role for what is unrouted."""
    named = contract.exceptions
    return () if OTHER in named else tuple(mode for mode in raised_modes(contract) if mode not in named)


def _raised(contract: Contract) -> Iterator[str]:
    if contract.trigger:
        yield from ("schema_drift", "duplicate")
    yield from (each.otherwise for each in contract.preconditions if each.otherwise != "ignore")
    if contract.deliver:
        yield "delivery_failed"
        yield from ("conflict",) if contract.deliver.verify else ()
    if contract.outcome:
        yield from ("outcome_missing", "outcome_failed")
    if contract.census:
        yield "missed"
    if contract.freshness:
        yield "stale"
