import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.results.files import ForeignFolder, OutputFolder, free_bytes


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[OutputFolder]:
    folder = OutputFolder(tmp_path / "out", "spring")
    yield folder
    folder.close()


def test_the_first_store_owns_the_folder_and_may_come_back(folder: OutputFolder) -> None:
    folder.claim("store-1", now=0.0)
    folder.claim("store-1", now=99.0)
    owner = json.loads((folder.path / "batch.json").read_text())
    assert owner == {"batch": "spring", "store": "store-1", "created_at": "1970-01-01T00:00:00.000Z"}
    assert [path.name for path in folder.path.iterdir()] == ["batch.json"]


def test_another_store_is_refused_by_both_names(folder: OutputFolder) -> None:
    folder.claim("store-1", now=0.0)
    with pytest.raises(ForeignFolder, match=r"store-1.*store-2"):
        folder.claim("store-2", now=0.0)


def test_another_batch_with_a_like_name_is_refused(folder: OutputFolder) -> None:
    folder.claim("store-1", now=0.0)
    folder.batch = "Spring"
    with pytest.raises(ForeignFolder, match=r"spring.*Spring"):
        folder.claim("store-1", now=0.0)


@pytest.mark.parametrize("content", ["", "[]", '{"store": 1}', "no json"])
def test_an_owner_file_that_cannot_be_read_is_no_permission(folder: OutputFolder, content: str) -> None:
    (folder.path / "batch.json").write_text(content)
    with pytest.raises(ForeignFolder, match="does not say"):
        folder.claim("store-1", now=0.0)


def test_a_symbolic_link_or_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "real").mkdir(parents=True)
    (out / "linked").symlink_to(out / "real")
    (out / "dangling").symlink_to(out / "nowhere")
    (out / "file").write_text("")
    for name in ("linked", "dangling", "file"):
        with pytest.raises(ForeignFolder, match=name):
            OutputFolder(out, name)


def test_the_output_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "disk")
    OutputFolder(tmp_path / "out", "b").close()
    assert (tmp_path / "disk" / "b").is_dir()


def test_a_part_is_new_hidden_and_follows_the_umask(folder: OutputFolder) -> None:
    old = os.umask(0o027)
    try:
        part = folder.part("att_1", 0)
    finally:
        os.umask(old)
    part.write(b"abc")
    part.close()
    assert part.path.name == ".att_1-0.part"
    assert stat.S_IMODE(part.path.stat().st_mode) == 0o640
    assert (part.path.read_bytes(), part.bytes) == (b"abc", 3)


def test_a_link_in_place_of_a_part_is_replaced_not_followed(folder: OutputFolder, tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("precious")
    (folder.path / ".att_1-0.part").symlink_to(target)
    part = folder.part("att_1", 0)
    part.write(b"abc")
    part.close()
    assert target.read_text() == "precious"


def test_a_discarded_part_is_gone(folder: OutputFolder) -> None:
    part = folder.part("att_1", 0)
    part.write(b"abc")
    part.discard()
    part.discard()
    assert list(folder.path.iterdir()) == []


def test_only_stale_parts_of_ours_are_removed(folder: OutputFolder) -> None:
    for attempt in ("att_1", "att_2"):
        folder.part(attempt, 0).close()
    for name in ("mug-0.png", ".hidden", ".mug.part", "att-0.part"):
        (folder.path / name).write_text("")
    assert folder.remove_stale(keep={"att_2"}) == [".att_1-0.part"]
    left = sorted(path.name for path in folder.path.iterdir())
    assert left == [".att_2-0.part", ".hidden", ".mug.part", "att-0.part", "mug-0.png"]


def test_the_folder_stays_the_one_that_was_opened(folder: OutputFolder, tmp_path: Path) -> None:
    folder.path.rename(tmp_path / "moved")
    folder.path.symlink_to(tmp_path)
    folder.part("att_1", 0).close()
    assert (tmp_path / "moved" / ".att_1-0.part").exists()


def test_free_space_is_asked_of_the_nearest_folder_that_exists(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "not" / "yet") > 0
