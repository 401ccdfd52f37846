"""Each example of the page about runbooks is a policy without a fault, and the page leaves nothing out."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from runbooks.policy import load, read_folder
from runbooks.runbook import OWN_KINDS, Input, Runbook
from tests.conftest import EXAMPLE_COMPANY
from tests.runbooks.test_added_steps import SMS

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "runbooks.md").read_text(encoding="utf-8")
ACME = read_folder(EXAMPLE_COMPANY)
REFUND = "workflows/refund.yml"
HAS_PAID = "runbook: pay-and-tell"


def blocks(language: str) -> list[str]:
    """The page's examples in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.M | re.S)


YAML = blocks("yaml")
RUNBOOKS = [block for block in YAML if block.startswith("runbook:")]
STEPS = [block for block in YAML if block.startswith("- name:")]
CONTRACTS = [block for block in YAML if block not in (*RUNBOOKS, *STEPS)]


def with_runbook(files: dict[str, str], text: str) -> dict[str, str]:
    name = re.findall(r"\Arunbook: (\S+)", text)[0]
    return files | {f"runbooks/{name}.yml": text}


def with_contract(text: str) -> dict[str, str]:
    """The refund's contract, in which these keys are as the example has them."""
    contract = ACME[REFUND]
    for key in re.findall(r"^(\w+):", text, re.M):
        contract = re.sub(rf"^{key}:.*?\n(?=\w|\Z)", "", contract, flags=re.M | re.S)
    return ACME | {REFUND: f"{contract.rstrip()}\n{text}"}


def offered(name: str) -> dict[str, str]:
    """A folder in which a runbook of this name is offered on a refund that failed."""
    return with_contract(f"exceptions:\n  other: {{priority: P2, owner: billing, runbooks: [{name}]}}\n")


@pytest.mark.parametrize("text", RUNBOOKS)
def test_a_runbook_of_the_page_loads(text: str) -> None:
    name = re.findall(r"\Arunbook: (\S+)", text)[0]
    assert name in load(with_runbook(offered(name), text)).runbooks


@pytest.mark.parametrize("text", STEPS)
def test_steps_of_the_page_load(text: str) -> None:
    steps = "".join(f"  {line}\n" for line in text.splitlines())
    runbook = f"runbook: example\ntitle: An example\nsteps:\n{steps}"
    loaded = load(with_runbook(offered("example"), runbook)).runbooks["example"]
    assert len(loaded.steps) == text.count("- name:")


@pytest.mark.parametrize("text", CONTRACTS)
def test_a_part_of_a_contract_loads(text: str) -> None:
    paying = next(block for block in RUNBOOKS if block.startswith(HAS_PAID))
    assert load(with_runbook(with_contract(text), paying)).workflows["refund"]


def test_every_kind_of_step_has_its_example_and_every_key_its_line() -> None:
    assert re.findall(r"^### (\w+):", PAGE, re.M) == list(OWN_KINDS)
    for kind in OWN_KINDS:
        assert any(re.search(rf"^ +{kind}:", block, re.M) for block in STEPS), kind
    told = {name for line in PAGE.splitlines() if line.startswith("| `") for name in re.findall(r"`(\w+)`", line)}
    keys = {field.name for field in fields(Runbook)} - {"name"} | {"runbook"}
    assert keys <= told
    every = next(block for block in RUNBOOKS if block.startswith("runbook: all-inputs"))
    assert {field.name for field in fields(Input)} <= set(re.findall(r"\w+(?=:)", every))


def test_a_kind_of_ones_own_is_the_one_that_is_tried_out() -> None:
    [kind] = blocks("python")
    assert kind.strip() == SMS.strip()


@pytest.mark.parametrize("page", ["README.md", *sorted(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md"))])
def test_what_a_page_leads_to_is_there(page: str) -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", (ROOT / page).read_text(encoding="utf-8")):
        assert (ROOT / page).parent.joinpath(target).exists(), target
