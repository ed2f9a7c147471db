"""The first schema: everything that no early attempt may lack, so that none is beyond rescue."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("base_url", sa.Text(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("accepted_at", sa.Float(), nullable=True),
        sa.Column("paused_at", sa.Float(), nullable=True),
        sa.Column("pause_code", sa.Text(), nullable=True),
        sa.Column("pause_message", sa.Text(), nullable=True),
        sa.Column("gate_until", sa.Float(), nullable=True),
        sa.Column("gate_streak", sa.Integer(), server_default="0", nullable=False),
        sa.Column("breaker_failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("breaker_until", sa.Float(), nullable=True),
        sa.Column("learned", sa.JSON(), nullable=True),
        sa.Column("budget_per_day", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("(paused_at IS NULL) = (pause_code IS NULL)", name=op.f("ck_account_pause_has_a_reason")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_account")),
    )
    op.create_table(
        "account_day",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("booked", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["account.name"], name=op.f("fk_account_day_account")),
        sa.PrimaryKeyConstraint("account", "day", name=op.f("pk_account_day")),
    )
    op.create_table(
        "batch",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("loaded_at", sa.Float(), nullable=False),
        sa.Column("jobs", sa.Integer(), server_default="0", nullable=False),
        sa.Column("weight", sa.Integer(), server_default="1", nullable=False),
        sa.Column("budget", sa.BigInteger(), nullable=True),
        sa.Column("budget_lasts", sa.Boolean(), server_default=sa.text("0"), nullable=False),
        sa.Column("booked", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batch")),
        sa.UniqueConstraint("name", name=op.f("uq_batch_name")),
    )
    op.create_table(
        "incoming",
        sa.Column("load", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("cost_likely", sa.BigInteger(), nullable=True),
        sa.Column("cost_worst", sa.BigInteger(), nullable=True),
        sa.Column("spec", sa.JSON(), nullable=False),
        sa.Column("seal", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("load", "position", name=op.f("pk_incoming")),
        sa.UniqueConstraint("load", "key", name=op.f("uq_incoming_load_key")),
    )
    op.create_table(
        "store",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_store")),
    )
    op.create_table(
        "upload",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("uploaded_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("account", "sha256", name=op.f("pk_upload")),
    )
    op.create_table(
        "job",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("cost_likely", sa.BigInteger(), nullable=True),
        sa.Column("cost_worst", sa.BigInteger(), nullable=True),
        sa.Column("spec", sa.JSON(), nullable=False),
        sa.Column("seal", sa.Text(), nullable=False),
        sa.Column("gone", sa.Boolean(), server_default=sa.text("0"), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("next_at", sa.Float(), nullable=True),
        sa.Column("attempt_id", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("throttles", sa.Integer(), server_default="0", nullable=False),
        sa.Column("known_at", sa.Float(), nullable=True),
        sa.Column("deadline", sa.Float(), nullable=True),
        sa.Column("partial", sa.Boolean(), server_default=sa.text("0"), nullable=False),
        sa.Column("part", sa.Integer(), server_default="0", nullable=False),
        sa.Column("parts_saved", sa.Integer(), server_default="0", nullable=False),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error_provider_code", sa.Text(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("finished_at", sa.Float(), nullable=True),
        sa.CheckConstraint(
            "(state = 'cancelled' OR state = 'expired' OR state = 'failed' OR state = 'succeeded') = (finished_at IS NOT NULL)",
            name=op.f("ck_job_final_has_an_end"),
        ),
        sa.CheckConstraint("state <> 'failed' OR error_code IS NOT NULL", name=op.f("ck_job_failed_has_a_code")),
        sa.CheckConstraint(
            "state = 'blocked' OR state = 'pending' OR state = 'submitting' OR state = 'running' OR state = 'ready' OR state = 'downloading' OR state = 'succeeded' OR state = 'failed' OR state = 'expired' OR state = 'uncertain' OR state = 'cancelled'",
            name=op.f("ck_job_state_known"),
        ),
        sa.CheckConstraint(
            "NOT (state = 'submitting' OR state = 'running' OR state = 'ready' OR state = 'downloading' OR state = 'uncertain') OR attempt_id IS NOT NULL",
            name=op.f("ck_job_in_flight_has_an_attempt"),
        ),
        sa.CheckConstraint("n >= 1", name=op.f("ck_job_n_positive")),
        sa.ForeignKeyConstraint(["account"], ["account.name"], name=op.f("fk_job_account")),
        sa.ForeignKeyConstraint(["batch_id"], ["batch.id"], name=op.f("fk_job_batch_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
        sa.UniqueConstraint("batch_id", "key", name=op.f("uq_job_batch_id_key")),
    )
    op.create_index("ix_job_batch_id_position", "job", ["batch_id", "position"], unique=False)
    op.create_index("ix_job_batch_id_state", "job", ["batch_id", "state"], unique=False)
    op.create_index(
        "ix_job_claim",
        "job",
        ["account", sa.literal_column("priority DESC"), "id"],
        unique=False,
        sqlite_where=sa.text("state = 'pending' AND next_at IS NULL"),
    )
    op.create_index(
        "ix_job_in_flight",
        "job",
        ["state", "deadline"],
        unique=False,
        sqlite_where=sa.text("state IN ('submitting', 'running', 'ready', 'downloading', 'uncertain')"),
    )
    op.create_index(
        "ix_job_postponed", "job", ["next_at"], unique=False, sqlite_where=sa.text("state = 'pending' AND next_at IS NOT NULL")
    )
    op.create_table(
        "attempt",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("part", sa.Integer(), server_default="0", nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("phase", sa.Text(), server_default="none", nullable=False),
        sa.Column("charged", sa.Text(), nullable=False),
        sa.Column("client_ref", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=True),
        sa.Column("idempotency_key", sa.Text(), nullable=True),
        sa.Column("request_sha256", sa.Text(), nullable=True),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("remote_id", sa.Text(), nullable=True),
        sa.Column("spool", sa.Text(), nullable=True),
        sa.Column("http_status", sa.Integer(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("words", sa.JSON(), nullable=True),
        sa.Column("usage", sa.JSON(), nullable=True),
        sa.Column("cost_estimated", sa.BigInteger(), nullable=True),
        sa.Column("cost_reserved", sa.BigInteger(), nullable=True),
        sa.Column("cost_settled", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("resends", sa.Integer(), server_default="0", nullable=False),
        sa.Column("started_at", sa.Float(), nullable=False),
        sa.Column("doubted_at", sa.Float(), nullable=True),
        sa.Column("answered_at", sa.Float(), nullable=True),
        sa.Column("ended_at", sa.Float(), nullable=True),
        sa.CheckConstraint(
            "(state = 'open' OR state = 'accepted' OR state = 'uncertain') = (ended_at IS NULL)",
            name=op.f("ck_attempt_ended_has_an_end"),
        ),
        sa.CheckConstraint("charged = 'yes' OR charged = 'no' OR charged = 'possible'", name=op.f("ck_attempt_charged_known")),
        sa.CheckConstraint(
            "phase = 'none' OR phase = 'connecting' OR phase = 'sent' OR phase = 'answered'", name=op.f("ck_attempt_phase_known")
        ),
        sa.CheckConstraint(
            "state <> 'accepted' OR remote_id IS NOT NULL OR spool IS NOT NULL", name=op.f("ck_attempt_accepted_has_an_answer")
        ),
        sa.CheckConstraint("state <> 'uncertain' OR charged = 'possible'", name=op.f("ck_attempt_uncertain_may_be_charged")),
        sa.CheckConstraint(
            "state = 'open' OR state = 'accepted' OR state = 'uncertain' OR state = 'not_sent' OR state = 'throttled' OR state = 'refused' OR state = 'failed' OR state = 'delivered' OR state = 'lost' OR state = 'abandoned'",
            name=op.f("ck_attempt_state_known"),
        ),
        sa.ForeignKeyConstraint(["account"], ["account.name"], name=op.f("fk_attempt_account")),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_attempt_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempt")),
    )
    op.create_index("ix_attempt_job_id", "attempt", ["job_id"], unique=False)
    op.create_index(
        "ix_attempt_remote_id", "attempt", ["account", "remote_id"], unique=False, sqlite_where=sa.text("remote_id IS NOT NULL")
    )
    op.create_index(
        "ix_attempt_token_hash", "attempt", ["token_hash"], unique=True, sqlite_where=sa.text("token_hash IS NOT NULL")
    )
    op.create_index(
        "one_live_attempt",
        "attempt",
        ["job_id", "part"],
        unique=True,
        sqlite_where=sa.text("state IN ('open', 'accepted', 'uncertain')"),
    )
    op.create_table(
        "event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("attempt_id", sa.Text(), nullable=True),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_event_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
    )
    op.create_index("ix_event_job_id", "event", ["job_id"], unique=False)
    op.create_table(
        "parent",
        sa.Column("child_id", sa.Integer(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("parent_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("image_index", sa.Integer(), server_default="0", nullable=False),
        sa.Column("used_attempt_id", sa.Text(), nullable=True),
        sa.Column("used_sha256", sa.Text(), nullable=True),
        sa.CheckConstraint("role = 'reference' OR role = 'mask' OR role = 'continues'", name=op.f("ck_parent_role_known")),
        sa.ForeignKeyConstraint(["child_id"], ["job.id"], name=op.f("fk_parent_child_id")),
        sa.ForeignKeyConstraint(["parent_id"], ["job.id"], name=op.f("fk_parent_parent_id")),
        sa.PrimaryKeyConstraint("child_id", "slot", name=op.f("pk_parent")),
    )
    op.create_index("ix_parent_parent_id", "parent", ["parent_id"], unique=False)
    op.create_table(
        "image",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("attempt_id", sa.Text(), nullable=False),
        sa.Column("part", sa.Integer(), server_default="0", nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("base64", sa.Text(), nullable=True),
        sa.Column("deadline", sa.Float(), nullable=True),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("refetches", sa.Integer(), server_default="0", nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("file", sa.Text(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("bytes", sa.Integer(), nullable=True),
        sa.Column("format", sa.Text(), nullable=True),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("revised_prompt", sa.Text(), nullable=True),
        sa.Column("degraded", sa.Text(), nullable=True),
        sa.Column("downloaded_at", sa.Float(), nullable=True),
        sa.CheckConstraint(
            "state <> 'saved' OR (file IS NOT NULL AND sha256 IS NOT NULL AND bytes IS NOT NULL AND downloaded_at IS NOT NULL)",
            name=op.f("ck_image_saved_has_a_file"),
        ),
        sa.CheckConstraint(
            "state <> 'wanted' OR url IS NOT NULL OR base64 IS NOT NULL", name=op.f("ck_image_wanted_has_a_source")
        ),
        sa.CheckConstraint(
            "state = 'wanted' OR state = 'saved' OR state = 'lost' OR state = 'extra'", name=op.f("ck_image_state_known")
        ),
        sa.ForeignKeyConstraint(["attempt_id"], ["attempt.id"], name=op.f("fk_image_attempt_id")),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_image_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_image")),
        sa.UniqueConstraint("attempt_id", "index", name=op.f("uq_image_attempt_id_index")),
    )
    op.create_index("ix_image_job_id", "image", ["job_id"], unique=False)
    for trigger in _TRIGGERS:
        op.execute(trigger)


_TRIGGERS = (
    """
    CREATE TRIGGER attempt_fits_budget BEFORE INSERT ON attempt
    BEGIN
        SELECT RAISE(ABORT, 'budget') FROM batch
        WHERE id = (SELECT batch_id FROM job WHERE id = NEW.job_id) AND budget IS NOT NULL AND (NEW.cost_reserved IS NULL OR booked + NEW.cost_reserved > budget);
        SELECT RAISE(ABORT, 'budget_per_day')
        FROM account LEFT JOIN account_day ON account_day.account = account.name AND account_day.day = CAST(NEW.started_at / 86400 AS INTEGER)
        WHERE account.name = NEW.account AND budget_per_day IS NOT NULL
            AND (NEW.cost_reserved IS NULL OR coalesce(booked, 0) + NEW.cost_reserved > budget_per_day);
    END
    """,
    """
    CREATE TRIGGER attempt_is_booked AFTER INSERT ON attempt WHEN CASE NEW.charged WHEN 'no' THEN 0 ELSE coalesce(NEW.cost_settled, NEW.cost_reserved, 0) END <> 0
    BEGIN
        UPDATE batch SET booked = booked + CASE NEW.charged WHEN 'no' THEN 0 ELSE coalesce(NEW.cost_settled, NEW.cost_reserved, 0) END WHERE id = (SELECT batch_id FROM job WHERE id = NEW.job_id);
        INSERT INTO account_day (account, day, booked) VALUES (NEW.account, CAST(NEW.started_at / 86400 AS INTEGER), CASE NEW.charged WHEN 'no' THEN 0 ELSE coalesce(NEW.cost_settled, NEW.cost_reserved, 0) END)
        ON CONFLICT (account, day) DO UPDATE SET booked = booked + excluded.booked;
    END
    """,
    """
    CREATE TRIGGER attempt_is_settled AFTER UPDATE OF charged, cost_reserved, cost_settled ON attempt WHEN CASE NEW.charged WHEN 'no' THEN 0 ELSE coalesce(NEW.cost_settled, NEW.cost_reserved, 0) END <> CASE OLD.charged WHEN 'no' THEN 0 ELSE coalesce(OLD.cost_settled, OLD.cost_reserved, 0) END
    BEGIN
        UPDATE batch SET booked = booked + CASE NEW.charged WHEN 'no' THEN 0 ELSE coalesce(NEW.cost_settled, NEW.cost_reserved, 0) END - CASE OLD.charged WHEN 'no' THEN 0 ELSE coalesce(OLD.cost_settled, OLD.cost_reserved, 0) END WHERE id = (SELECT batch_id FROM job WHERE id = NEW.job_id);
        INSERT INTO account_day (account, day, booked) VALUES (NEW.account, CAST(NEW.started_at / 86400 AS INTEGER), CASE NEW.charged WHEN 'no' THEN 0 ELSE coalesce(NEW.cost_settled, NEW.cost_reserved, 0) END - CASE OLD.charged WHEN 'no' THEN 0 ELSE coalesce(OLD.cost_settled, OLD.cost_reserved, 0) END)
        ON CONFLICT (account, day) DO UPDATE SET booked = booked + excluded.booked;
    END
    """,
)
