"""Find the next jobs of one batch without passing over those of the others."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_job_claim", table_name="job")
    op.create_index(
        "ix_job_claim",
        "job",
        ["account", "batch_id", sa.literal_column("priority DESC"), "id"],
        sqlite_where=sa.text("state = 'pending' AND next_at IS NULL"),
    )
