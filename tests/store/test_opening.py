import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine

from orchestrator.store.lock import AlreadyRunning, EngineLock
from orchestrator.store.opening import SCHEMA, CannotOpen, migrations_folder
from orchestrator.store.store import Store
from orchestrator.store.tables import metadata
from tests.clock import StillClock
from tests.store.making import pending


def scripts() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()))
    return ScriptDirectory.from_config(config)


def test_the_code_knows_the_newest_migration() -> None:
    assert scripts().get_current_head() == SCHEMA


async def test_the_migrations_build_the_declared_tables(store: Store) -> None:
    def compare(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        return list(compare_metadata(context, metadata))

    engine = create_engine(f"sqlite:///{store.path}")
    with engine.connect() as connection:
        assert compare(connection) == []
    engine.dispose()


async def test_checks_and_indexes_are_those_of_the_declaration(store: Store, tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'declared.db'}")
    metadata.create_all(engine)
    engine.dispose()
    assert _schema(store.path) == _schema(tmp_path / "declared.db")


def _schema(path: Path) -> dict[str, list[str]]:
    with sqlite3.connect(path) as connection:
        rows = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name <> 'alembic_version'"
        ).fetchall()
    connection.close()
    return {
        name: sorted(line.strip().rstrip(",") for line in sql.splitlines()) for name, sql in rows if name != "alembic_version"
    }


async def test_the_store_is_private_and_durable(store: Store) -> None:
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    pragmas = {}
    for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "trusted_schema"):
        pragmas[name] = await store.door.look(lambda connection, name=name: connection.exec_driver_sql(f"PRAGMA {name}"))  # type: ignore[misc]
    found = {name: result.scalar_one() for name, result in pragmas.items()}
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30000, "trusted_schema": 0}


async def test_a_store_keeps_its_identity(tmp_path: Path, clock: StillClock) -> None:
    path = tmp_path / "orchestrator.db"
    async with Store.open(path, clock) as first:
        identity = first.id
    async with Store.open(path, clock) as second:
        assert second.id == identity


async def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path, clock: StillClock) -> None:
    path = tmp_path / "orchestrator.db"
    async with Store.open(path, clock):
        pass
    _run(path, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(CannotOpen, match="schema 9999"):
        async with Store.open(path, clock):
            pass


async def test_the_database_of_another_program_is_refused(tmp_path: Path, clock: StillClock) -> None:
    path = tmp_path / "other.db"
    _run(path, "CREATE TABLE recipes (id INTEGER)")
    before = path.read_bytes()
    with pytest.raises(CannotOpen, match="another program"):
        async with Store.open(path, clock):
            pass
    assert _schema(path).keys() == {"recipes"}
    assert len(before) == path.stat().st_size


async def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path, clock: StillClock) -> None:
    path = tmp_path / "notes.db"
    path.write_bytes(b"these are my notes, and no database at all\n" * 100)
    before = path.read_bytes()
    with pytest.raises(CannotOpen, match="damaged or not a store"):
        async with Store.open(path, clock):
            pass
    assert path.read_bytes() == before


async def test_a_folder_in_the_way_is_refused(tmp_path: Path, clock: StillClock) -> None:
    with pytest.raises(CannotOpen, match="cannot open the store"):
        async with Store.open(tmp_path, clock):
            pass


async def test_reading_connections_cannot_write(store: Store) -> None:
    await pending(store)
    async with store._reader.connect() as connection:
        with pytest.raises(Exception, match="readonly"):
            await connection.exec_driver_sql("DELETE FROM job")


def test_a_second_engine_is_refused_and_told_who_holds_the_store(tmp_path: Path) -> None:
    database = tmp_path / "orchestrator.db"
    holder = f"""
import sys, time
from pathlib import Path
from orchestrator.store.lock import EngineLock
with EngineLock(Path({str(database)!r})):
    print("held", flush=True)
    sys.stdin.read()
"""
    with subprocess.Popen([sys.executable, "-c", holder], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(AlreadyRunning, match=f"process {process.pid} "), EngineLock(database):
            pass
        process.kill()
        process.wait()
        with EngineLock(database):
            pass  # the kernel freed it at the holder's death


async def test_two_openings_at_once_migrate_once(tmp_path: Path, clock: StillClock) -> None:
    path = tmp_path / "orchestrator.db"
    async with Store.open(path, clock) as first, Store.open(path, clock) as second:
        assert first.id == second.id


def _run(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()
