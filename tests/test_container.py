"""The container files say what the code has: they cannot be built in a test, so what they name is held to it."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path

from ruamel.yaml import YAML

from bot.main import ENDS_WITHIN
from bot.settings import NAMES
from bot.starter import STARTER, write_starter
from bot.tracing import ENDPOINT
from runbooks.connectors import variables_of
from runbooks.policy import load, read_folder
from tests.processes import ROOT, running

DOCKERFILE = (ROOT / "Dockerfile").read_text()


def test_compose_names_what_the_service_and_the_starter_read() -> None:
    compose = YAML(typ="safe").load((ROOT / "compose.yaml").read_text())
    policy = load(read_folder(STARTER))
    starter = {name for connector in policy.connectors.values() for name in variables_of(connector)}
    starter |= {source.token for source in policy.sources.values() if source.token}
    named = set(compose["services"]["pointsman"]["environment"])
    assert starter <= named <= starter | set(NAMES.values()) | {ENDPOINT}


def test_three_replicas_stand_behind_a_balancer_that_asks_whether_they_are_ready() -> None:
    compose = YAML(typ="safe").load((ROOT / "compose.yaml").read_text())
    replicas, balancer = compose["services"]["pointsman"], compose["configs"]["balancer"]["content"]
    assert replicas["deploy"]["replicas"] == 3
    assert "ports" not in replicas
    assert re.search(r"server-template replica 3 pointsman:8080 check", balancer)
    assert "option httpchk GET /readyz" in balancer
    assert "retry-on conn-failure\n" in balancer


def test_nothing_in_a_container_is_root_or_can_change_its_program() -> None:
    compose = YAML(typ="safe").load((ROOT / "compose.yaml").read_text())
    for name in ("pointsman", "balancer"):
        service = compose["services"][name]
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
    assert compose["services"]["pointsman"]["tmpfs"] == ["/tmp"]
    _, _, image = DOCKERFILE.split("\nFROM ")
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", image, re.MULTILINE)
    assert "pip" not in image


def test_it_is_given_more_time_to_stop_than_it_needs() -> None:
    compose = YAML(typ="safe").load((ROOT / "compose.yaml").read_text())
    assert int(compose["services"]["pointsman"]["stop_grace_period"].removesuffix("s")) > ENDS_WITHIN


def test_the_image_sets_what_the_service_reads() -> None:
    [block] = re.findall(r"^ENV ((?:.*\\\n)*.*)", DOCKERFILE, re.MULTILINE)
    names = set(re.findall(r"(\w+)=", block))
    assert names - {"PATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"} <= set(NAMES.values())
    assert {"HOST", "PORT"} <= names


def test_everything_that_is_copied_is_there_and_let_through() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    for line in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE):
        for name in line.split():
            assert f"!{name}" in ignored
            assert (ROOT / name).exists(), name


def test_the_build_backend_is_pinned_with_hashes() -> None:
    [script] = re.findall(r"sed -n '(.*?)'", DOCKERFILE)
    command = ["sed", "-n", script, str(ROOT / "requirements-dev.txt")]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert re.fullmatch(r"setuptools==\S+ \\", lines[0])
    assert all("--hash=sha256:" in line for line in lines[1:-1])
    assert not lines[-1].endswith("\\")


async def test_the_health_check_tells_a_service_that_lives_from_one_that_does_not(tmp_path: Path) -> None:
    [command] = re.findall(r'^  CMD (\["python".*\])$', DOCKERFILE, re.MULTILINE)
    code = json.loads(command)[2]
    write_starter(tmp_path / "p")
    async with running("run", folder=tmp_path, POINTSMAN_POLICY="p", PORT="0") as process:
        port = (await process.says(r"listening url=http://127\.0\.0\.1:(\d+)"))[1]
        assert await _ends(code, port) == 0
    assert await _ends(code, port) != 0


async def _ends(code: str, port: str) -> int:
    silent = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, env={"PORT": port}, stderr=silent)
    return await process.wait()
