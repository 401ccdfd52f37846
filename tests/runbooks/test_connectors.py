"""Connectors keep the names of variables until they are resolved, and tell clearly which one is missing."""

import pytest

from runbooks.connectors import Auth, Basic, Connector, MissingVariable, Rate, parse_rate, resolve, variables_of

ENV = {"CRM_URL": "https://crm.acme.test/", "CRM_TOKEN": "s3cret", "CRM_USER": "ada", "CRM_PASSWORD": "pass:word"}


def connector(base_url: str = "${CRM_URL}/v1", auth: Auth | None = None) -> Connector:
    return Connector(name="crm", base_url=base_url, auth=auth)


def test_variables_are_put_into_the_address() -> None:
    assert resolve(connector("${CRM_URL}"), ENV).base_url == "https://crm.acme.test"
    assert resolve(connector("https://x.test/${CRM_USER}"), ENV).base_url == "https://x.test/ada"


@pytest.mark.parametrize(
    ("auth", "headers"),
    [
        (None, {}),
        (Auth(bearer="CRM_TOKEN"), {"Authorization": "Bearer s3cret"}),
        (
            Auth(basic=Basic(username="CRM_USER", password="CRM_PASSWORD")),
            {"Authorization": "Basic YWRhOnBhc3M6d29yZA=="},
        ),
        (Auth(header={"X-Api-Key": "CRM_TOKEN"}), {"X-Api-Key": "s3cret"}),
    ],
)
def test_headers_say_who_we_are(auth: Auth | None, headers: dict[str, str]) -> None:
    assert resolve(connector(auth=auth), ENV).headers == headers


def test_what_must_be_struck_out_is_known_and_never_shown() -> None:
    resolved = resolve(connector(auth=Auth(basic=Basic(username="CRM_USER", password="CRM_PASSWORD"))), ENV)
    assert set(resolved.secrets) == {"pass:word", "YWRhOnBhc3M6d29yZA=="}
    assert "pass" not in repr(resolved)


def test_every_missing_variable_is_named() -> None:
    with pytest.raises(MissingVariable, match=r"connector crm: CRM_URL, CRM_TOKEN are not set in the environment"):
        resolve(connector(auth=Auth(bearer="CRM_TOKEN")), {"CRM_TOKEN": ""})


@pytest.mark.parametrize("value", ["crm", "ftp://crm.test", "https://u:hunter2@crm.test", "http://", "http://[::1"])
def test_a_variable_that_gives_no_address_is_told_without_its_value(value: str) -> None:
    with pytest.raises(MissingVariable, match="connector crm: base_url: ") as told:
        resolve(connector("${CRM_URL}"), {"CRM_URL": value})
    assert "hunter2" not in str(told.value)


def test_the_variables_of_a_connector_are_known_in_advance() -> None:
    both = connector("${CRM_URL}/${CRM_USER}", Auth(basic=Basic(username="CRM_USER", password="CRM_PASSWORD")))
    assert variables_of(both) == ("CRM_URL", "CRM_USER", "CRM_PASSWORD")


@pytest.mark.parametrize(("text", "rate"), [("20/s", Rate(20, 1)), ("600/m", Rate(600, 60)), ("1/h", Rate(1, 3600))])
def test_a_rate_is_a_number_in_a_time(text: str, rate: Rate) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["0/s", "20", "20/d", "-1/s", "1.5/s", 20, None])
def test_what_is_no_rate_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="such as 20/s or 600/m"):
        parse_rate(text)
