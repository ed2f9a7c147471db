"""Alembic's entry: migrates on the connection that the store hands over, or on a database named on Alembic's command line."""

from alembic import context
from sqlalchemy import Connection, create_engine

from orchestrator.store.tables import metadata


def migrate(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True, transactional_ddl=True)
    with context.begin_transaction():
        context.run_migrations()


def from_the_command_line() -> None:
    url = context.get_x_argument(as_dictionary=True)["db"]
    with create_engine(url).begin() as connection:
        migrate(connection)


given = context.config.attributes.get("connection")
if given is not None:
    migrate(given)
else:
    from_the_command_line()
