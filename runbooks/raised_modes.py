"""Which failure modes a contract can come to: those that it names, and those that the machine itself reports by it."""

from collections.abc import Iterable, Iterator

from runbooks.contracts import OTHER, Contract


def raised_modes(contract: Contract) -> tuple[str, ...]:
    """The modes that the parts of the contract can lead to, each once, in the order in which an event meets them.
    Those about the policy and about messages are everywhere, and are not among them."""
    return tuple(dict.fromkeys(_raised(contract)))


def named_without_route(contract: Contract) -> tuple[str, ...]:
    """The modes that the contract itself gives to what does not meet a precondition, and says no more of."""
    return _without_route(contract, _of_preconditions(contract))


def left_to_default(contract: Contract) -> tuple[str, ...]:
    """The modes that the machine can report by the contract and that it leaves to the role for what is unrouted."""
    named = named_without_route(contract)
    return tuple(mode for mode in _without_route(contract, raised_modes(contract)) if mode not in named)


def _without_route(contract: Contract, modes: Iterable[str]) -> tuple[str, ...]:
    routed = contract.exceptions
    return () if OTHER in routed else tuple(dict.fromkeys(mode for mode in modes if mode not in routed))


def _raised(contract: Contract) -> Iterator[str]:
    if contract.trigger:
        yield from ("schema_drift", "duplicate")
    yield from _of_preconditions(contract)
    if contract.deliver:
        yield "delivery_failed"
        yield from ("conflict",) if contract.deliver.verify else ()
    if contract.outcome:
        yield from ("outcome_missing", "outcome_failed")
    if contract.census:
        yield "missed"
    if contract.freshness:
        yield "stale"


def _of_preconditions(contract: Contract) -> Iterator[str]:
    return (each.otherwise for each in contract.preconditions if each.otherwise != "ignore")
