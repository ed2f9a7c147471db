"""A store of an older version becomes one of this version, once and whole; the older program finds a copy to go back to."""

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from orchestrator.store.backup import copy_of
from orchestrator.store.opening import SCHEMA, CannotOpen, migrations_folder
from orchestrator.store.store import Store
from tests.clock import StillClock

OLDER = [f"{number:04}" for number in range(1, int(SCHEMA))]


def older_store(path: Path, schema: str) -> Path:
    """Make a store as the program of that schema has left it."""
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()))
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, schema)
        connection.exec_driver_sql("INSERT INTO store (id, created_at) VALUES ('cafe', 1.0)")
        connection.exec_driver_sql(
            "INSERT INTO batch (name, source, created_at, loaded_at) VALUES ('mugs', 'mugs.yaml', 1.0, 1.0)"
        )
    engine.dispose()
    return path


def asked(path: Path, question: str) -> object:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(question).fetchone()[0]


def files(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


@pytest.mark.parametrize("schema", OLDER)
async def test_an_older_store_is_migrated_and_keeps_what_it_holds(tmp_path: Path, clock: StillClock, schema: str) -> None:
    path = older_store(tmp_path / "orchestrator.db", schema)
    async with Store.open(path, clock) as store:
        assert store.id == "cafe"
        assert [batch.name for batch in await store.batches()] == ["mugs"]
    assert asked(path, "SELECT version_num FROM alembic_version") == SCHEMA


@pytest.mark.parametrize("schema", OLDER)
async def test_a_private_copy_for_the_older_program_stays_beside_it(tmp_path: Path, clock: StillClock, schema: str) -> None:
    path = older_store(tmp_path / "orchestrator.db", schema)
    async with Store.open(path, clock):
        pass
    copy = copy_of(path, schema)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert asked(copy, "SELECT version_num FROM alembic_version") == schema
    assert (asked(copy, "SELECT id FROM store"), asked(copy, "SELECT name FROM batch")) == ("cafe", "mugs")
    assert asked(copy, "PRAGMA integrity_check") == "ok"
    assert files(tmp_path) == [path.name, copy.name]


async def test_it_is_copied_and_migrated_once(tmp_path: Path, clock: StillClock) -> None:
    path = older_store(tmp_path / "orchestrator.db", "0001")
    async with Store.open(path, clock), Store.open(path, clock):
        copied = copy_of(path, "0001").stat()
    async with Store.open(path, clock):
        assert copy_of(path, "0001").stat() == copied


async def test_without_room_for_the_copy_nothing_is_changed(tmp_path: Path, clock: StillClock) -> None:
    path = older_store(tmp_path / "orchestrator.db", "0001")
    copy_of(path, "0001").mkdir()
    with pytest.raises(CannotOpen, match=r"older schema 0001, and no copy of it could be kept beside it .*; nothing was changed"):
        async with Store.open(path, clock):
            pass
    assert asked(path, "SELECT version_num FROM alembic_version") == "0001"
    assert not copy_of(path, "0001.part").exists()


async def test_a_new_store_needs_no_copy(tmp_path: Path, clock: StillClock) -> None:
    async with Store.open(tmp_path / "orchestrator.db", clock):
        pass
    assert files(tmp_path) == ["orchestrator.db"]
