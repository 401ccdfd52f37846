"""A fault planted in `team.yml` or `connectors.yml` is found at its place, and told with what would be right."""

import pytest

from runbooks.policy import PolicyFaults, load
from tests.runbooks.good_folder import assert_told, broken

KEYS_OF_A_CONNECTOR_AUTH = "keep one of bearer, basic or header"

IN_TEAM = [
    # names that are used and do not exist
    ("calendar: office\n    on", "calendar: §ofice\n    on", 'there is no calendar "ofice"; did you mean "office"?'),
    ("on_call: desk-", "on_call: §desck-", 'there is no rota "desck-on-call"; did you mean "desk-on-call"?'),
    ("backup: money", "backup: §mony", 'there is no role "mony"; did you mean "money"?'),
    ("unrouted: desk", "unrouted: §zebra", 'there is no role "zebra"; known: desk, money'),
    ("governance: money", "governance: §moneys", 'there is no role "moneys"; did you mean "money"?'),
    ("workflow: refund", "workflow: §refunds", 'there is no workflow "refunds"; did you mean "refund"?'),
    ("to: accountable}", "to: §acountable}", 'there is no role "acountable"; did you mean "accountable"?'),
    ("ical: money.ics", "ical: §mony.ics", 'there is no file "mony.ics"; did you mean "money.ics"?'),
    # keys
    ("channel: C0DESK", "§chanel: C0DESK", 'there is no key "chanel" here; did you mean "channel"?'),
    ("rotas:", "§rota:", 'there is no key "rota" here; did you mean "rotas"?'),
    ("    unresolved:", "    §unresolvd:", 'there is no key "unresolvd" here; did you mean "unresolved"?'),
    ("  desk:\n    title: The desk\n", "  §desk:\n", "title is missing; add title: … to it"),
    ("    title: Money", "    title: Money\n    §title: Two", '"title" is written twice; it stands on line 26 already'),
    ("title: The desk", "§title:", "title has no value; write one"),
    ("title: The desk", "title: §2024", 'a text is wanted; put quotes around it: "2024"'),
    ("title: The desk", "title: yes§: no", 'a : cannot stand here; put quotes around a text with ": " in it'),
    # values
    ("channel: C0DESK", "channel: §'#desk'", '"#desk" is not a channel\'s id; it begins with C or G'),
    ("usergroup: S0MONEY", "usergroup: §money", '"money" is not a user group\'s id; it begins with S'),
    ("members: [U0ADA, ", "members: [U0ADA, §ada, ", '"ada" is neither a person\'s Slack id (U… or W…) nor an e-mail'),
    ("members: [U0ADA, U0BEN]", "members: [U0ADA, §U0ADA]", '"U0ADA" is written twice'),
    ("people: [U0CLEO]", "people: §[]", "this list is too short: at least 1"),
    ("timezone: UTC", "timezone: §UCT0", "unknown timezone 'UCT0'"),
    ("timezone: Europe/Berlin,", "timezone: §Europe/Berln,", 'did you mean "Europe/Berlin"?'),
    ('fri: "09:00-15:00"', 'fri: §"09:00-08:00"', "09:00-08:00 ends before it begins"),
    ('fri: "09:00-15:00"', '§fry: "09:00-15:00"', "'fry' is not a day; write"),
    ("holidays: DE-BE", "holidays: §DE-XX", "no holidays are known for 'XX' in DE"),
    ("[2026-12-24]", "[§2026-13-24]", '"2026-13-24" is not a date; write 2026-12-24'),
    ('{2026-12-25: "10', '{§25.12.2026: "10', '"25.12.2026" is not a date; write 2026-12-24'),
    ("starts: 2026-01-05T09:00", "starts: §9 o'clock", "is not a time; write 2026-01-05T09:00"),
    ("every: 1w", "every: §1bd", "1bd is business time, and this runs on the clock"),
    ("every: 1w", "every: §weekly", "is not a length; write a whole number and a unit"),
    ("acknowledge: 2bh", "acknowledge: §2 hours", "is not a length; write 2h (clock) or 2bh (business hours)"),
    ("repeat: 3", "repeat: §-1", "-1 is too small: at least 0"),
    ("repeat: 3", "repeat: §three", 'a whole number is wanted, not "three"'),
    ("[0.5, 0.9]", "[0.5, §1.5]", "1.5 is too large: less than 1"),
    ("[waiting_for_customer]", "[§waiting_for_custmer]", 'did you mean "waiting_for_customer"?'),
    ("payloads: 90d", "§payload: 90d", '"payload" is not known here; did you mean "payloads"?'),
    ("email: ops@acme.test", "email: §ops", '"ops" is not an e-mail address; write name@example.com'),
    (
        "email: ops@acme.test",
        "secret: PAGER, webhook: §http://x.test",
        '"http://x.test" is not an address; write https://host/path',
    ),
    (
        "email: ops@acme.test",
        '§webhook: "https://x.test/told"',
        "this call would not be signed; add secret: and the name of an environment variable with a secret for "
        "Standard Webhooks",
    ),
    # what only shows when the parts are put together
    (
        "  always:\n    timezone: UTC\n    hours: {mon-sun",
        "  §always:\n    timezone: UTC\n    hours: {}\n    #",
        "no day has any",
    ),
    (
        'always:\n    timezone: UTC\n    hours: {mon-sun: "00:00-24:00"}\n    closed: [2026-12-24]',
        '§always:\n    timezone: UTC\n    hours: {mon-sun: "00:00-24:00"}\n    closed: [2026-12-25]',
        "2026-12-25 is both closed and open",
    ),
    ("people: [U0CLEO], hours: {mon-fri", "people: [U0CLEO], hours: {§mon-fry", "'fry' is not a day"),
    # rules
    (
        """priorities:
    P1: {acknowledge: 15m, resolve: 4h}
    P2: {acknowledge: 2bh, resolve: 1bd}
""",
        "§priorities:\n    P1: {acknowledge: 15m, resolve: 4h}\n",
        "P2 is missing: every case has both windows; add P2:",
    ),
    ("{after: 30m, to: backup, repeat: 3}", "§{to: backup}", "only the first step goes at once; add after: …"),
    (
        "- {to: on_call}\n      - {after: 30m",
        "- {to: on_call, §after: 5m}\n      - {after: 30m",
        "the first step goes at once",
    ),
    (
        "- {to: on_call}\n      - {after: 30m",
        "- {to: on_call, §repeat: 2}\n      - {after: 30m",
        "repeat needs a distance",
    ),
    ("backup: money", "backup: §desk", '"desk" is its own backup; name another role'),
    ("usergroup: S0MONEY", "members: [U0FAY]\n    §usergroup: S0MONEY", "usergroup stands beside members"),
    ("roles:\n", "roles:\n  §owner: {title: O, channel: C0X, calendar: office}\n", '"owner" already means something'),
    ("{ical: money.ics}", "{ical: money.ics, §every: 1w}", "every stands beside ical"),
    ("\n    timezone: Europe/Berlin\n    starts", "\n    §starts", "timezone is missing in this rota; add timezone: …"),
    ("{email: ops@acme.test}", "§{secret: MAIL_KEY}", "this fallback tells nobody; add email: … or webhook: …"),
]

IN_CONNECTORS = [
    (
        "auth: {bearer: BANK_TOKEN}",
        "auth: {§baerer: BANK_TOKEN}",
        'there is no key "baerer" here; did you mean "bearer"?',
    ),
    ("BANK_TOKEN}", "BANK_TOKEN, §header: {X-Key: KEY}}", f"header stands beside bearer; {KEYS_OF_A_CONNECTOR_AUTH}"),
    ("bearer: BANK_TOKEN", "bearer: §sk_live_0123", "this is not the name of an environment variable; write its name"),
    ('"${BANK_URL}/v1"', '§"$BANK_URL/v1"', "has a $ that names no variable; write ${NAME}"),
    ('"https://desk.acme.test"', '§"desk.acme.test"', "this is not an address; write https://host or ${NAME}"),
    ('"https://desk.acme.test"', '§"https://a:b@desk.test"', "an address carries no user or password"),
    ("timeout: 5s", "timeout: §5bm", "5bm is business time, and this runs on the clock"),
    ("rate: 20/s", "rate: §20 a second", "this is not a rate; write a number and s, m or h, such as 20/s"),
    ("health: /health", "health: §health", '"health" is not a path; begin with one /, such as /health'),
    ("private: true", "private: §yes", 'true or false is wanted, not "yes"; write true or false, without quotes'),
    ("workflows: [refund]", "workflows: [§refnd]", 'there is no workflow "refnd"; did you mean "refund"?'),
    ("{secret: BANK_SECRET, ", "§{", "a credential is missing; add token or secret"),
    (
        "{secret: BANK_SECRET",
        "{token: T, §secret: BANK_SECRET",
        "secret stands beside token; keep one of token or secret",
    ),
]


@pytest.mark.parametrize(("old", "new", "words"), IN_TEAM)
def test_a_fault_in_the_team_is_told_with_its_place(old: str, new: str, words: str) -> None:
    assert_told("team.yml", old, new, words)


@pytest.mark.parametrize(("old", "new", "words"), IN_CONNECTORS)
def test_a_fault_in_the_connectors_is_told_with_its_place(old: str, new: str, words: str) -> None:
    assert_told("connectors.yml", old, new, words)


def test_a_secret_that_stands_where_its_name_should_is_never_repeated() -> None:
    files, _ = broken("connectors.yml", "bearer: BANK_TOKEN", "bearer: §sk_live_0123")
    with pytest.raises(PolicyFaults) as told:
        load(files)
    assert "sk_live_0123" not in str(told.value)
