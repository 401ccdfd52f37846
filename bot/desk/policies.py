"""The policy in force lives in the database; here it is compiled, once for each digest."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from sqlalchemy import select
from sqlmodel import Session, col

from runbooks.policy import Policy, load
from store.models import PolicyInForce, PolicyVersion

KEPT_COMPILED = 16


_DIGEST = select(col(PolicyInForce.digest))


class Policies:
    """Compiled policies by digest, the latest used kept. Safe for any number of threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Policy] = OrderedDict()
        self._lock = Lock()
        self._latest: Policy | None = None

    @property
    def latest(self) -> Policy:
        """The policy in force when a transaction last asked: what the edges read without one."""
        if self._latest is None:
            raise LookupError("no policy was read yet")
        return self._latest

    def in_force(self, session: Session) -> Policy:
        """The policy that decides now. Raises `LookupError` before the first folder was read."""
        digest = session.execute(_DIGEST).scalar_one_or_none()
        if digest is None:
            raise LookupError("no policy is in force yet: name its folder in POINTSMAN_POLICY")
        self._latest = self.compiled(session, digest)
        return self._latest

    def compiled(self, session: Session, digest: str) -> Policy:
        """The policy of this digest, as it was when it came into force."""
        with self._lock:
            policy = self._kept.get(digest) or load(session.get_one(PolicyVersion, digest).files)
            self._keep(policy)
            return policy

    def keep(self, policy: Policy) -> None:
        """Keeps a policy that is compiled already: a transaction that needs it need not do it again."""
        with self._lock:
            self._keep(policy)

    def _keep(self, policy: Policy) -> None:
        self._kept[policy.digest] = policy
        self._kept.move_to_end(policy.digest)
        if len(self._kept) > KEPT_COMPILED:
            self._kept.popitem(last=False)
