"""The JSON Schemas for editors hold what the loader holds of the shape of each file."""

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import runbooks
from runbooks.schemas import json_schemas
from runbooks.yaml_source import parse_yaml

ACME = Path(runbooks.__file__).parent / "acme"
FILES = {"team": "team.yml", "connectors": "connectors.yml", "workflow": "workflows/*.yml", "runbook": "runbooks/*.yml"}


def data_of(path: Path) -> Any:
    node, _ = parse_yaml(path.name, path.read_text(encoding="utf-8"))
    assert node is not None
    return node.plain()


def test_there_is_a_schema_for_each_kind_of_file() -> None:
    schemas = json_schemas()
    assert set(schemas) == set(FILES)
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("kind", FILES)
def test_the_example_company_fits_the_schemas(kind: str) -> None:
    validator = Draft202012Validator(json_schemas()[kind])
    paths = sorted(ACME.glob(FILES[kind]))
    assert paths
    for path in paths:
        assert not list(validator.iter_errors(data_of(path)))


def test_a_misspelt_key_and_a_wrong_value_do_not_fit() -> None:
    validator = Draft202012Validator(json_schemas()["workflow"])
    contract = data_of(ACME / "workflows" / "refund.yml")
    assert not validator.is_valid({**contract, "cheks": []})
    assert not validator.is_valid({**contract, "risk": "hihg"})
    assert not validator.is_valid({**contract, "deliver": {**contract["deliver"], "timeout": "soon"}})


def test_the_mode_filter_of_a_check_is_called_for() -> None:
    check = json_schemas()["workflow"]["$defs"]["Check"]
    assert "for" in check["properties"]
    assert "modes" not in check["properties"]
