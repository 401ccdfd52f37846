"""What loads and can hardly be meant is a warning, at its place."""

import pytest

from runbooks.policy import load
from tests.runbooks.good_folder import GOOD, edited

WITHOUT_OTHER = GOOD["workflows/refund.yml"].replace("  other:", "  odd:")
WARNED = [
    (
        "team.yml",
        "{after: 1h, to: accountable}",
        "{after: 1h, to: on_call}",
        "team.yml:46:9: this step cannot reach anybody new; name a role that the steps before do not tell",
    ),
    (
        "workflows/refund.yml",
        "{after: 15m, to: steward, repeat: 2}",
        "{after: 15m, to: money}",
        "workflows/refund.yml:59:39: this step cannot reach anybody new; name a role that the steps before do not tell",
    ),
    (
        "team.yml",
        "defaults:\n",
        "  empty: {title: E, channel: C0E, calendar: office}\ndefaults:\n",
        'team.yml:31:3: the role "empty" has no people; add members, usergroup or on_call',
    ),
    (
        "connectors.yml",
        "sources:\n",
        "  spare: {base_url: https://spare.acme.test}\nsources:\n",
        'connectors.yml:4:3: nothing uses the connector "spare"; name it where it is meant, or remove it',
    ),
    (
        "team.yml",
        "rotas:\n",
        '  spare: {timezone: UTC, hours: {mon: "09:00-10:00"}}\nrotas:\n',
        'team.yml:8:3: nothing uses the calendar "spare"; name it where it is meant, or remove it',
    ),
]


@pytest.mark.parametrize(("file", "old", "new", "warning"), WARNED)
def test_what_can_hardly_be_meant_is_warned_of(file: str, old: str, new: str, warning: str) -> None:
    assert [str(found) for found in load(edited(file, old, new)).warnings] == [warning]


def test_runbooks_and_schemas_that_nothing_uses_are_warned_of() -> None:
    spare = "runbook: spare\ntitle: Spare\nsteps: [{name: wait, pause: 1m}]\n"
    warnings = load({**GOOD, "runbooks/spare.yml": spare, "schemas/spare.json": "{}"}).warnings
    assert [str(found) for found in warnings] == [
        'runbooks/spare.yml:1:1: no workflow uses the runbook "spare"; name it in a workflow, or remove it',
        "schemas/spare.json:1:1: no workflow uses this schema; name it in a trigger, or remove it",
    ]


def test_a_mode_whose_route_reaches_nobody_is_warned_of() -> None:
    files = edited(
        "team.yml",
        "    usergroup: S0MONEY\n    calendar: always\n    on_call: money-on-call\n",
        "    calendar: always\n",
    )
    warnings = [str(found) for found in load(files).warnings]
    assert (
        'workflows/refund.yml:50:3: route: on_call reaches nobody: "money" has no people; give it a rota or members'
        in warnings
    )


ONE_OWNER = edited("workflows/refund.yml", "{accountable: money, steward: desk}", "{accountable: desk, steward: desk}")
ALONE = {
    "members: [U0ADA, U0BEN]": "members: [U0ADA]",
    "people: [U0ADA, ben@acme.test]": "people: [U0ADA]",
    "people: [U0CLEO]": "people: [U0ADA]",
}


def alone(files: dict[str, str], *kept: str) -> dict[str, str]:
    """The desk has one person, and so has its rota."""
    team = files["team.yml"]
    for old, new in ALONE.items():
        assert old in team
        team = team if old in kept else team.replace(old, new)
    return {**files, "team.yml": team}


def test_owners_who_are_one_and_the_same_person_can_never_approve_a_change_and_that_is_warned_of() -> None:
    policy = load(alone(ONE_OWNER))
    [warning] = [each for each in policy.warnings if "approved" in each.message]
    assert str(warning) == (
        "workflows/refund.yml:6:1: no change of this contract can ever be approved: its two owners are one and the "
        'same person; add somebody to "desk", or write change_gate: false'
    )
    assert warning in policy.dead_ends


@pytest.mark.parametrize("kept", ALONE)
def test_a_second_person_among_the_members_or_on_the_rota_can_approve(kept: str) -> None:
    assert "approved" not in "".join(map(str, load(alone(ONE_OWNER, kept)).warnings))


def test_one_person_is_enough_where_no_gate_is_or_where_only_slack_knows_who_there_is() -> None:
    open_gate = ONE_OWNER["workflows/refund.yml"].replace("change_gate: true", "change_gate: false")
    assert "approved" not in "".join(map(str, load(alone({**ONE_OWNER, "workflows/refund.yml": open_gate})).warnings))
    assert "approved" not in "".join(map(str, load(alone(GOOD)).warnings))


def test_what_the_machine_can_report_and_the_contract_leaves_to_the_defaults_is_noted() -> None:
    policy = load({**GOOD, "workflows/refund.yml": WITHOUT_OTHER})
    [note] = policy.notes
    assert str(note) == (
        "workflows/refund.yml:49:1: no route for schema_drift, duplicate, conflict, outcome_missing, outcome_failed, "
        "missed, stale: they go to defaults.unrouted as P3; name them under exceptions, or other for all that is not "
        "named"
    )
    assert policy.warnings == ()
    assert policy.dead_ends == (note,)


def test_a_mode_that_a_precondition_names_and_nobody_routes_is_warned_of() -> None:
    policy = load(
        {**GOOD, "workflows/refund.yml": WITHOUT_OTHER.replace("otherwise: ignore", "otherwise: precondition_failed")}
    )
    [warning], [note] = policy.warnings, policy.notes
    assert "no route for precondition_failed: it goes to defaults.unrouted as P3" in str(warning)
    assert "precondition_failed" not in str(note)
    assert policy.dead_ends == (warning, note)


def test_a_step_that_reaches_somebody_new_for_one_owner_alone_is_no_warning() -> None:
    files = edited("team.yml", "{after: 1h, to: accountable}", "{after: 1h, to: backup}")
    assert load(files).warnings == ()
