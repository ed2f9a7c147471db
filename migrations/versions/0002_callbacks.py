"""Calls from providers: kept until they were looked into, and for as long as they could be repeated."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "callback",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("attempt_id", sa.Text(), nullable=False),
        sa.Column("remote_id", sa.Text(), nullable=False),
        sa.Column("received_at", sa.Float(), nullable=False),
        sa.Column("handled_at", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["attempt_id"], ["attempt.id"], name=op.f("fk_callback_attempt_id")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_callback")),
    )
    op.create_index("ix_callback_attempt_id", "callback", ["attempt_id"], unique=False)
    op.create_index("ix_callback_waiting", "callback", ["received_at"], unique=False, sqlite_where=sa.text("handled_at IS NULL"))
