"""A folder without a fault loads into typed values; one with faults tells them all and loads nothing."""

from pathlib import Path

import pytest

import runbooks
from runbooks.lengths import Length
from runbooks.policy import Fault, PolicyFaults, digest_of, load, read_folder
from runbooks.templates import Expression, Text
from tests.runbooks.good_folder import GOOD, edited

SHIPPED = Path(runbooks.__file__).parent


def faults_of(files: dict[str, str]) -> list[str]:
    with pytest.raises(PolicyFaults) as told:
        load(files)
    return [str(fault) for fault in told.value.faults]


@pytest.mark.parametrize("folder", ["acme", "starter"])
def test_the_folders_that_are_shipped_load_without_a_warning(folder: str) -> None:
    assert load(read_folder(SHIPPED / folder)).warnings == ()


def test_the_good_folder_loads_without_a_warning() -> None:
    assert load(GOOD).warnings == ()


def test_a_contract_is_read_into_typed_values() -> None:
    contract = load(GOOD).workflows["refund"]
    assert contract.deliver is not None
    assert contract.deliver.request is not None
    assert isinstance(contract.deliver.expect, Expression)
    assert isinstance(contract.deliver.request.path, Text)
    assert contract.deliver.request.json is not None
    assert contract.deliver.retry.max == Length(seconds=30)
    assert contract.exceptions["delivery_failed"].escalation is not None
    assert contract.exceptions["delivery_failed"].escalation.unresolved == ()
    assert contract.exceptions["other"].owner is None
    assert contract.exceptions["late"].route == "owner_queue"
    assert contract.routing[0].route is None
    assert contract.checks[0].modes == ("delivery_failed",)
    assert contract.checks[1].modes == ()


def test_roles_connectors_and_sources_know_their_names() -> None:
    policy = load(GOOD)
    assert policy.team.roles["desk"].name == "desk"
    assert policy.connectors["bank"].name == "bank"
    assert policy.sources["shop"].workflows == ("refund",)
    assert policy.sources["bank"].workflows is None
    assert policy.templates == {"opened": "{{ case.title }} was opened.\n"}


def test_a_step_tells_its_kind() -> None:
    steps = load(GOOD).runbooks["callback"].steps
    assert [step.kind for step in steps] == [
        *("request", "wait_for", "check", "replay", "assign", "pause", "notify", "run"),
    ]


def test_an_empty_replay_is_a_replay() -> None:
    policy = load(edited("runbooks/tell-desk.yml", "steps:\n", "steps:\n  - {name: again, replay: {}}\n"))
    assert policy.runbooks["tell-desk"].steps[0].kind == "replay"


def test_a_rota_at_an_address_is_known_and_names_nobody_yet() -> None:
    policy = load(edited("team.yml", "ical: money.ics", "ical: https://cal.acme.test/money.ics"))
    assert policy.team.rota_addresses == {"money-on-call": "https://cal.acme.test/money.ics"}
    assert "money-on-call" in policy.team.rotas


@pytest.mark.parametrize(
    ("risk", "gate", "gated"),
    [
        ("high", "", True),
        ("low", "", False),
        ("low", "change_gate: true", True),
        ("critical", "change_gate: false", False),
    ],
)
def test_a_change_waits_for_two_people_by_risk_unless_the_contract_says_so(risk: str, gate: str, gated: bool) -> None:
    files = edited("workflows/refund.yml", "risk: high", f"risk: {risk}")
    text = files["workflows/refund.yml"].replace("change_gate: true", gate)
    assert load({**files, "workflows/refund.yml": text}).workflows["refund"].is_gated is gated


def test_all_faults_of_all_files_are_told_in_one_go_in_their_order() -> None:
    files = {
        **GOOD,
        "team.yml": GOOD["team.yml"].replace("C0DESK", "desk").replace("unrouted: desk", "unrouted: dsk"),
        "connectors.yml": GOOD["connectors.yml"].replace("rate: 20/s", "rate: fast"),
        "workflows/refund.yml": GOOD["workflows/refund.yml"].replace("risk: high", "risk: hi").replace("desk}", "dsk}"),
        "runbooks/callback.yml": GOOD["runbooks/callback.yml"].replace("inputs.tell", "inputs.tel"),
        "runbooks/tell-desk.yml": "runbook: [",
        "schemas/refund.v1.json": "{",
        "money.ics": "nonsense",
        "templates/opened.j2": "\n{{ cse.title }}",
    }
    places = [fault.partition(": ")[0] for fault in faults_of(files)]
    assert places == [
        "connectors.yml:2:85",
        "money.ics:1:1",
        "runbooks/callback.yml:31:18",
        "runbooks/tell-desk.yml:1:11",
        "schemas/refund.v1.json:1:2",
        "team.yml:20:14",
        "team.yml:32:13",
        "templates/opened.j2:2:4",
        "workflows/refund.yml:5:7",
        "workflows/refund.yml:6:39",
    ]


def test_a_broken_team_hides_no_fault_elsewhere_and_invents_none() -> None:
    files = {**edited("workflows/refund.yml", "risk: high", "risk: hi"), "team.yml": "roles: ["}
    assert [fault.partition(":")[0] for fault in faults_of(files)] == ["team.yml", "workflows/refund.yml"]


def test_a_second_claim_on_a_channel_is_told() -> None:
    second = GOOD["workflows/refund.yml"].replace("workflow: refund", "workflow: second")
    assert faults_of({**GOOD, "workflows/second.yml": second}) == [
        'workflows/second.yml:8:11: "C0MONEY" belongs to the threads of "refund" already; '
        "keep it in workflows/refund.yml or here"
    ]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("workflow/refund.yml", 'is no part of a policy folder; did you mean "workflows/refund.yml"?'),
        ("workflows/refund.yaml", 'is no part of a policy folder; did you mean "workflows/refund.yml"?'),
        ("tean.yml", 'is no part of a policy folder; did you mean "team.yml"?'),
        ("workflows/old/refund.yml", "is no part of a policy folder; "),
        ("schemas/refund.yml", 'did you mean "schemas/refund.json"?'),
        ("notes.json", "it holds team.yml, connectors.yml, workflows/*.yml"),
    ],
)
def test_a_file_in_the_wrong_place_is_not_left_out_without_a_word(name: str, words: str) -> None:
    (fault,) = faults_of({**GOOD, name: "a: 1"})
    assert fault.startswith(f"{name}:1:1: is no part of a policy folder")
    assert words in fault


def test_an_empty_folder_says_where_to_begin() -> None:
    assert faults_of({}) == [
        "team.yml:1:1: there is no team.yml; write who owns what in it, or start with pointsman init"
    ]


def test_the_digest_counts_texts_and_names_and_not_how_lines_end() -> None:
    windows = {name: text.replace("\n", "\r\n") for name, text in reversed(GOOD.items())}
    assert digest_of(windows) == digest_of(GOOD) == load(GOOD).digest
    assert digest_of({**GOOD, "team.yml": GOOD["team.yml"] + "#"}) != digest_of(GOOD)
    assert digest_of({"a": "bc"}) != digest_of({"ab": "c"})


def test_the_digest_of_a_contract_covers_what_it_uses_and_not_comments() -> None:
    def digest(file: str, old: str, new: str) -> str:
        return load(edited(file, old, new)).workflows["refund"].digest

    unchanged = load(GOOD).workflows["refund"].digest
    assert digest("workflows/refund.yml", "risk: high", "risk: high  # as agreed") == unchanged
    assert digest("connectors.yml", "rate: 20/s", "rate: 30/s") == unchanged
    assert digest("workflows/refund.yml", "title: Refunds", "title: Refund") != unchanged
    assert digest("schemas/refund.v1.json", '"minimum": 0', '"minimum": 1') != unchanged
    assert digest("runbooks/tell-desk.yml", "title: Tell the desk", "title: Tell them") != unchanged


def test_a_fault_is_one_line_whatever_the_folder_says() -> None:
    fault = Fault("a\nb.yml", 1, 2, "x\u202ey\x1b[0m " + "z" * 2_000, "hint")
    assert "\n" not in str(fault)
    assert str(fault).isprintable()
    assert len(str(fault)) < 1_100


def test_annotations_of_a_schema_are_no_slips() -> None:
    more = '"type": "object", "example": {}, "note": "n", "comment": "c", "name": "x", "x-owner": "y", "id": "z",'
    assert load(edited("schemas/refund.v1.json", '"type": "object",', more)).warnings == ()
