"""What comes with a key is carried out once: a repeat is answered as the first was, another body is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import bindparam, select
from sqlmodel import col

from bot.desk.tx import Tx
from store.models import SeenRequest
from store.rows import insert_rows
from store.sealing import desk_key, keyed

I = TypeVar("I")  # noqa: E741
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Submission(Generic[I]):
    """What one request brought. With an Idempotency-Key (its sender's name in it), a repeat is answered as the
    first was; the digest is that of the request's body."""

    items: tuple[I, ...]
    key: str | None = None
    digest: str = ""

    def __len__(self) -> int:
        """How much it brings."""
        return len(self.items)


@dataclass(frozen=True, slots=True)
class KeyReused:
    """The Idempotency-Key came before, with another body."""


_SEEN = select(col(SeenRequest.key), col(SeenRequest.digest), col(SeenRequest.answer)).where(
    col(SeenRequest.key).in_(bindparam("keys", expanding=True))
)


def once(
    tx: Tx,
    submissions: Sequence[Submission[I]],
    take_in: Callable[[Tx, Sequence[I]], Sequence[R]],
    result: type[R],
) -> list[tuple[R, ...] | KeyReused]:
    """One answer per submission: a result (a dataclass of plain values) for each of its items, or `KeyReused`.
    `take_in` is called once with all that is new. Everything is committed together."""
    before = _answered_before(tx, submissions, result)
    answers: list[tuple[R, ...] | KeyReused | None] = [before.get(each.key or "") for each in submissions]
    first_with: dict[str | None, int] = {
        each.key: at for at, each in reversed(list(enumerate(submissions))) if each.key
    }
    fresh = [at for at, each in enumerate(submissions) if answers[at] is None and first_with.get(each.key, at) == at]
    results = iter(take_in(tx, [item for at in fresh for item in submissions[at].items]) if fresh else ())
    for at in fresh:
        answers[at] = tuple(next(results) for _ in submissions[at].items)
    _remember(tx, [(submissions[at], answers[at]) for at in fresh])
    return [_as_first(submissions, answers, at, first_with) for at in range(len(submissions))]


def _as_first(
    submissions: Sequence[Submission[Any]],
    answers: Sequence[tuple[R, ...] | KeyReused | None],
    at: int,
    first_with: Mapping[str | None, int],
) -> tuple[R, ...] | KeyReused:
    """The submission's own answer, or that of the first one with its key, if it brought the same."""
    own = answers[at]
    if own is not None:
        return own
    first = first_with[submissions[at].key]
    answer = answers[first]
    assert answer is not None
    return answer if submissions[first].digest == submissions[at].digest else KeyReused()


def _answered_before(
    tx: Tx, submissions: Sequence[Submission[Any]], result: type[R]
) -> dict[str, tuple[R, ...] | KeyReused]:
    keys = {each.key: each.digest for each in submissions if each.key}
    if not keys:
        return {}
    keys = {key: _digest(tx, digest) for key, digest in keys.items()}
    rows = tx.session.execute(_SEEN, {"keys": list(keys)})
    return {key: _answer_of(answer, result) if digest == keys[key] else KeyReused() for key, digest, answer in rows}


def _answer_of(answer: Mapping[str, Any] | None, result: type[R]) -> tuple[R, ...]:
    return tuple(result(**kept) for kept in (answer or {})["results"])


def _digest(tx: Tx, digest: str) -> str:
    """What a body is known by afterwards: keyed, because a body may be about a person."""
    return keyed(desk_key(tx.session), digest)


def _remember(tx: Tx, answered: Sequence[tuple[Submission[Any], Any]]) -> None:
    rows = [
        {
            "key": each.key,
            "at": tx.now,
            "digest": _digest(tx, each.digest),
            "answer": {"results": [asdict(one) for one in answer]},
        }
        for each, answer in answered
        if each.key and isinstance(answer, tuple)
    ]
    insert_rows(tx.session, SeenRequest, rows)
