"""A folder is read in bounded time and memory, and never beyond its own walls."""

import os
from pathlib import Path

import pytest

from runbooks.policy import PolicyFaults, load, read_folder
from runbooks.reading import MAX_BYTES
from tests.runbooks.good_folder import GOOD


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "policy"
    for name, text in GOOD.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def told(folder: Path) -> list[str]:
    with pytest.raises(PolicyFaults) as faults:
        read_folder(folder)
    return [str(fault) for fault in faults.value.faults]


def test_a_folder_is_read_by_the_paths_in_it(folder: Path) -> None:
    assert read_folder(folder) == GOOD
    load(read_folder(folder))


def test_hidden_files_and_files_of_other_kinds_are_left_out(folder: Path) -> None:
    for name in (".git/config.yml", ".hidden.yml", "README.md", "team.yml~"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"\xff")
    assert read_folder(folder) == GOOD


def test_a_byte_order_mark_is_no_text(folder: Path) -> None:
    (folder / "team.yml").write_text(GOOD["team.yml"], encoding="utf-8-sig")
    assert read_folder(folder) == GOOD


def test_a_folder_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    assert told(tmp_path / "nowhere") == [f"{tmp_path}/nowhere:1:1: cannot be read: No such file or directory"]


def test_a_file_that_is_not_utf8_is_told_with_its_place(folder: Path) -> None:
    (folder / "team.yml").write_bytes(b"a: 1\nb: \xff\n")
    assert told(folder) == ["team.yml:2:4: is not UTF-8; save the file as UTF-8"]


def test_a_file_that_is_too_large_is_not_read(folder: Path) -> None:
    (folder / "team.yml").write_bytes(b"#" * (MAX_BYTES + 1))
    assert told(folder) == ["team.yml:1:1: cannot be read: it is larger than 1024 KiB"]


def test_a_link_out_of_the_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.yml").write_text("password: x")
    (folder / "workflows" / "x.yml").symlink_to(tmp_path / "secret.yml")
    assert told(folder) == ["workflows/x.yml:1:1: leads out of the folder; copy the file here"]


def test_links_inside_the_folder_are_followed_as_kubernetes_lays_them(folder: Path) -> None:
    real = folder / "..2026_01_01"
    real.mkdir()
    for name in ("team.yml", "workflows"):
        (folder / name).rename(real / name)
        (folder / name).symlink_to(real / name)
    assert read_folder(folder) == GOOD


def test_links_in_a_circle_come_to_an_end(folder: Path) -> None:
    (folder / "workflows" / "again").symlink_to(folder)
    assert set(GOOD) <= set(read_folder(folder))


def test_a_pipe_is_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe.yml")
    assert told(folder) == ["pipe.yml:1:1: cannot be read: it is not a regular file"]


def test_a_folder_with_too_many_files_is_refused(folder: Path) -> None:
    for number in range(1_001):
        (folder / "workflows" / f"w{number}.yml").touch()
    (fault,) = told(folder)
    assert fault.endswith("the folder is too large; a policy has at most 1000 files and 4096 KiB")


def test_faults_of_reading_are_told_together(folder: Path) -> None:
    (folder / "team.yml").write_bytes(b"\xff")
    (folder / "connectors.yml").write_bytes(b"\xff")
    assert len(told(folder)) == 2
