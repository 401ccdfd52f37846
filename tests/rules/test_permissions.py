"""Who may do what: the table of the policy, for every act and every standing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.rules.actors import SYSTEM, TIMER, Actor, Kind, person, source
from bot.rules.permissions import Act, Allowed, Denied, Standing, may
from runbooks.team import Role

OWNER = Role(name="billing", title="Billing", channel="C0BILLING", calendar="always", backup="support")
ACCOUNTABLE = Role(name="success", title="Customer Success", channel="C0SUCCESS", calendar="always")
STEWARD = Role(name="ops", title="Revenue Ops", channel="C0REVOPS", calendar="always")
BACKUP = Role(name="support", title="Support", channel="C0SUPPORT", calendar="always")
ADA = person("U0ADA")
GUEST = Actor(Kind.PERSON, "U0GUEST", is_ours=False, why_not_ours="guests")

RESPONDERS = {"owner", "paged", "accountable", "steward"}
MAY = {
    Act.SHOW: {"anyone"},
    Act.OPEN: {"anyone"},
    Act.NOTE: {"anyone"},
    Act.ACKNOWLEDGE: RESPONDERS,
    Act.RUN: {"owner", "backup"},
    Act.RELEASE: {"owner", "paged", "accountable", "steward"},
    Act.ESCALATE: RESPONDERS,
    Act.SNOOZE: RESPONDERS,
    Act.ASSIGN: RESPONDERS,
    Act.HAND_OFF: RESPONDERS,
    Act.SET_PRIORITY: RESPONDERS,
    Act.SET_STATE: RESPONDERS,
    Act.RESOLVE: RESPONDERS,
    Act.OVERRIDE_CHECK: {"owner", "accountable"},
    Act.FAIL: RESPONDERS,
    Act.REOPEN: RESPONDERS,
    Act.WRITE_POST_MORTEM: RESPONDERS,
    Act.OVERRIDE_ROTA: {"owner", "accountable"},
}
ROLE_OF = {"owner": "billing", "accountable": "success", "steward": "ops", "backup": "support"}


def standing(*rights: str, is_listed: bool = False) -> Standing:
    roles = frozenset(ROLE_OF[right] for right in rights if right in ROLE_OF)
    return Standing(roles, OWNER, ACCOUNTABLE, STEWARD, is_paged="paged" in rights, is_listed=is_listed, backup=BACKUP)


@pytest.mark.parametrize("act", Act)
@pytest.mark.parametrize("right", ["owner", "paged", "accountable", "steward", "backup", "bystander"])
def test_each_right_allows_what_the_table_says(act: Act, right: str) -> None:
    verdict = may(act, actor=ADA, standing=standing(right))
    assert isinstance(verdict, Allowed) == bool(MAY[act] & {right, "anyone"})


@pytest.mark.parametrize("act", Act)
def test_guests_and_strangers_may_nothing_whatever_they_were_told(act: Act) -> None:
    verdict = may(act, actor=GUEST, standing=standing("paged"))
    assert isinstance(verdict, Denied)
    assert "only where a role lists them as a member" in verdict.because


@pytest.mark.parametrize("act", Act)
def test_a_guest_whom_a_role_lists_may_what_its_members_may(act: Act) -> None:
    verdict = may(act, actor=GUEST, standing=standing("owner", is_listed=True))
    assert isinstance(verdict, Allowed) == bool(MAY[act] & {"owner", "anyone"})


@pytest.mark.parametrize("actor", [SYSTEM, TIMER, source("monitors")])
@pytest.mark.parametrize("act", Act)
def test_what_is_no_person_is_not_judged(act: Act, actor: Actor) -> None:
    assert isinstance(may(act, actor=actor, standing=standing()), Allowed)


def test_a_refusal_names_who_may() -> None:
    verdict = may(Act.RESOLVE, actor=ADA, standing=standing())
    assert verdict == Denied(
        "You cannot resolve it: Billing, Customer Success, Revenue Ops or whoever was told to act on it can."
    )


def test_the_backup_may_send_again_only_once_it_was_told() -> None:
    waiting = Standing(frozenset({"support"}), OWNER, ACCOUNTABLE, STEWARD)
    words = "You cannot run this on it: Billing or its backup once that was told to act on it can."
    assert may(Act.RUN, actor=ADA, standing=waiting) == Denied(words)
    assert may(Act.RUN, actor=ADA, standing=replace(waiting, backup=BACKUP)) == Allowed("backup")


def test_the_backup_that_was_told_is_named_by_its_title() -> None:
    verdict = may(Act.RUN, actor=ADA, standing=standing())
    assert verdict == Denied("You cannot run this on it: Billing or Support can.")


def test_where_there_is_no_backup_none_is_named() -> None:
    verdict = may(Act.RUN, actor=ADA, standing=replace(standing(), owner=ACCOUNTABLE, backup=None))
    assert verdict == Denied("You cannot run this on it: Customer Success can.")


def test_a_role_that_is_two_things_at_once_is_named_once() -> None:
    alone = Standing(frozenset(), OWNER, OWNER, OWNER)
    verdict = may(Act.OVERRIDE_CHECK, actor=ADA, standing=alone)
    assert verdict == Denied("You cannot close it in spite of a failed check: Billing can.")
