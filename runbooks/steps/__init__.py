"""The kinds of step, by name: one file each, all of one shape (`runbooks.steps.shape`)."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from types import MappingProxyType

from runbooks.added_steps import ADDED
from runbooks.steps import ask, assign, check, notify, pause, replay, request, retry_failed, run, wait_for
from runbooks.steps.shape import Kind

OWN: Mapping[str, Kind] = MappingProxyType(
    {
        each.KIND.name: each.KIND
        for each in (request, replay, retry_failed, wait_for, check, notify, ask, assign, pause, run)
    }
)
"""The ten kinds of the policy language, in its order."""
KINDS: Mapping[str, Kind] = MappingProxyType(ChainMap(dict(OWN), ADDED))
"""These, and those that other packages add."""
