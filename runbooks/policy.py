"""The policy folder as one value: read it, load it, or be told everything that is wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runbooks.connectors import Connector, Source
from runbooks.contracts import Contract
from runbooks.faults import Fault, PolicyFaults
from runbooks.runbook import Runbook
from runbooks.team import Team

__all__ = ["Fault", "Policy", "PolicyFaults", "digest_of", "load", "read_folder"]


@dataclass(frozen=True, slots=True)
class Policy:
    """A whole folder, in which every name that is used exists. `files` is what it was loaded from."""

    digest: str
    team: Team
    connectors: Mapping[str, Connector]
    sources: Mapping[str, Source]
    workflows: Mapping[str, Contract]
    runbooks: Mapping[str, Runbook]
    templates: Mapping[str, str]
    files: Mapping[str, str]
    warnings: tuple[Fault, ...]


def read_folder(folder: Path) -> dict[str, str]:
    """Read the texts of a folder by their paths in it. Raises PolicyFaults."""
    raise NotImplementedError


def load(files: Mapping[str, str]) -> Policy:
    """Load a policy, or raise PolicyFaults with all that is wrong."""
    raise NotImplementedError


def digest_of(files: Mapping[str, str]) -> str:
    """SHA-256 in hex over the files' paths and texts."""
    raise NotImplementedError
