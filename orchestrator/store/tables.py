"""The tables. The database itself refuses rows without the facts that their state needs, and a second live attempt.

`migrations/` builds the same tables; a test compares the two.
"""

from sqlalchemy import (
    DDL,
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy import event as sqlalchemy_event

from orchestrator.jobs.attempts import LIVE, AttemptState, Charged, ImageState, Phase
from orchestrator.jobs.lifecycle import FINAL, State
from orchestrator.store.bookkeeping import TRIGGERS
from orchestrator.store.columns import Money, is_any, one_of, quoted

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

IN_FLIGHT = (State.SUBMITTING, State.RUNNING, State.READY, State.DOWNLOADING, State.UNCERTAIN)
"""States of a job whose latest attempt may cost money and is not settled."""

store = Table(
    "store",
    metadata,
    Column("id", Text, primary_key=True),
    Column("created_at", Float, nullable=False),
)

account = Table(
    "account",
    metadata,
    Column("name", Text, primary_key=True),
    Column("provider", Text, nullable=False),
    Column("base_url", Text, nullable=False),
    Column("settings", JSON(none_as_null=True), nullable=False),
    Column("accepted_at", Float),
    Column("paused_at", Float),
    Column("pause_code", Text),
    Column("pause_message", Text),
    Column("gate_until", Float),
    Column("gate_streak", Integer, nullable=False, server_default="0"),
    Column("breaker_failures", Integer, nullable=False, server_default="0"),
    Column("breaker_until", Float),
    Column("learned", JSON(none_as_null=True)),
    Column("budget_per_day", Money),
    CheckConstraint("(paused_at IS NULL) = (pause_code IS NULL)", name="pause_has_a_reason"),
)

account_day = Table(
    "account_day",
    metadata,
    Column("account", Text, ForeignKey("account.name"), primary_key=True),
    Column("day", Integer, primary_key=True),
    Column("booked", Money, nullable=False),
)

batch = Table(
    "batch",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("source", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("loaded_at", Float, nullable=False),
    Column("jobs", Integer, nullable=False, server_default="0"),
    Column("weight", Integer, nullable=False, server_default="1"),
    Column("budget", Money),
    Column("budget_lasts", Boolean, nullable=False, server_default=text("0")),
    Column("booked", Money, nullable=False, server_default="0"),
)

invitation = Table(
    "invitation",
    metadata,
    Column("batch_id", Integer, ForeignKey("batch.id"), primary_key=True),
    Column("asked_at", Float, nullable=False),
    Column("taken_at", Float),
    Column("declined", Text),
)

incoming = Table(
    "incoming",
    metadata,
    Column("load", Text, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("key", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("n", Integer, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("cost_likely", Money),
    Column("cost_worst", Money),
    Column("spec", JSON(none_as_null=True), nullable=False),
    Column("seal", Text, nullable=False),
    UniqueConstraint("load", "key"),
)

job = Table(
    "job",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("batch_id", Integer, ForeignKey("batch.id"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("key", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("account", Text, ForeignKey("account.name"), nullable=False),
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("n", Integer, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("cost_likely", Money),
    Column("cost_worst", Money),
    Column("spec", JSON(none_as_null=True), nullable=False),
    Column("seal", Text, nullable=False),
    Column("gone", Boolean, nullable=False, server_default=text("0")),
    Column("state", Text, nullable=False),
    Column("next_at", Float),
    Column("attempt_id", Text),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("throttles", Integer, nullable=False, server_default="0"),
    Column("known_at", Float),
    Column("deadline", Float),
    Column("partial", Boolean, nullable=False, server_default=text("0")),
    Column("part", Integer, nullable=False, server_default="0"),
    Column("parts_saved", Integer, nullable=False, server_default="0"),
    Column("error_code", Text),
    Column("error_provider_code", Text),
    Column("error_message", Text),
    Column("created_at", Float, nullable=False),
    Column("finished_at", Float),
    UniqueConstraint("batch_id", "key"),
    one_of("state", State),
    CheckConstraint(f"NOT ({is_any('state', IN_FLIGHT)}) OR attempt_id IS NOT NULL", name="in_flight_has_an_attempt"),
    CheckConstraint("state <> 'failed' OR error_code IS NOT NULL", name="failed_has_a_code"),
    CheckConstraint(f"({is_any('state', sorted(FINAL))}) = (finished_at IS NOT NULL)", name="final_has_an_end"),
    CheckConstraint("n >= 1", name="n_positive"),
)
Index(
    "ix_job_claim",
    *(job.c.account, job.c.batch_id, job.c.priority.desc(), job.c.id),
    sqlite_where=text("state = 'pending' AND next_at IS NULL"),
)
Index("ix_job_postponed", job.c.next_at, sqlite_where=text("state = 'pending' AND next_at IS NOT NULL"))
Index("ix_job_in_flight", job.c.state, job.c.deadline, sqlite_where=text(f"state IN ({quoted(IN_FLIGHT)})"))
Index("ix_job_batch_id_state", job.c.batch_id, job.c.state)
Index("ix_job_batch_id_position", job.c.batch_id, job.c.position)

parent = Table(
    "parent",
    metadata,
    Column("child_id", Integer, ForeignKey("job.id"), primary_key=True),
    Column("slot", Integer, primary_key=True),
    Column("parent_id", Integer, ForeignKey("job.id"), nullable=False),
    Column("role", Text, nullable=False),
    Column("image_index", Integer, nullable=False, server_default="0"),
    Column("used_attempt_id", Text),
    Column("used_sha256", Text),
    CheckConstraint(is_any("role", ("reference", "mask", "continues")), name="role_known"),
)
Index("ix_parent_parent_id", parent.c.parent_id)

attempt = Table(
    "attempt",
    metadata,
    Column("id", Text, primary_key=True),
    Column("job_id", Integer, ForeignKey("job.id"), nullable=False),
    Column("part", Integer, nullable=False, server_default="0"),
    Column("number", Integer, nullable=False),
    Column("account", Text, ForeignKey("account.name"), nullable=False),
    Column("provider", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("phase", Text, nullable=False, server_default=Phase.NONE),
    Column("charged", Text, nullable=False),
    Column("client_ref", Text, nullable=False),
    Column("token_hash", Text),
    Column("idempotency_key", Text),
    Column("request_sha256", Text),
    Column("worker", Text),
    Column("remote_id", Text),
    Column("spool", Text),
    Column("http_status", Integer),
    Column("request_id", Text),
    Column("words", JSON(none_as_null=True)),
    Column("usage", JSON(none_as_null=True)),
    Column("cost_estimated", Money),
    Column("cost_reserved", Money),
    Column("cost_settled", Money),
    Column("reason", Text),
    Column("message", Text),
    Column("resends", Integer, nullable=False, server_default="0"),
    Column("started_at", Float, nullable=False),
    Column("doubted_at", Float),
    Column("answered_at", Float),
    Column("ended_at", Float),
    one_of("state", AttemptState),
    one_of("phase", Phase),
    one_of("charged", Charged),
    CheckConstraint("state <> 'accepted' OR remote_id IS NOT NULL OR spool IS NOT NULL", name="accepted_has_an_answer"),
    CheckConstraint(f"({is_any('state', LIVE)}) = (ended_at IS NULL)", name="ended_has_an_end"),
    CheckConstraint("state <> 'uncertain' OR charged = 'possible'", name="uncertain_may_be_charged"),
)
Index("one_live_attempt", attempt.c.job_id, attempt.c.part, unique=True, sqlite_where=text(f"state IN ({quoted(LIVE)})"))
Index("ix_attempt_job_id", attempt.c.job_id)
Index("ix_attempt_token_hash", attempt.c.token_hash, unique=True, sqlite_where=text("token_hash IS NOT NULL"))
Index("ix_attempt_remote_id", attempt.c.account, attempt.c.remote_id, sqlite_where=text("remote_id IS NOT NULL"))

image = Table(
    "image",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("job_id", Integer, ForeignKey("job.id"), nullable=False),
    Column("attempt_id", Text, ForeignKey("attempt.id"), nullable=False),
    Column("part", Integer, nullable=False, server_default="0"),
    Column("index", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("url", Text),
    Column("base64", Text),
    Column("deadline", Float),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("refetches", Integer, nullable=False, server_default="0"),
    Column("error", Text),
    Column("file", Text),
    Column("sha256", Text),
    Column("bytes", Integer),
    Column("format", Text),
    Column("width", Integer),
    Column("height", Integer),
    Column("revised_prompt", Text),
    Column("degraded", Text),
    Column("downloaded_at", Float),
    UniqueConstraint("attempt_id", "index"),
    one_of("state", ImageState),
    CheckConstraint("state <> 'wanted' OR url IS NOT NULL OR base64 IS NOT NULL", name="wanted_has_a_source"),
    CheckConstraint(
        "state <> 'saved' OR (file IS NOT NULL AND sha256 IS NOT NULL AND bytes IS NOT NULL AND downloaded_at IS NOT NULL)",
        name="saved_has_a_file",
    ),
)
Index("ix_image_job_id", image.c.job_id)

event = Table(
    "event",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("job_id", Integer, ForeignKey("job.id"), nullable=False),
    Column("attempt_id", Text),
    Column("at", Float, nullable=False),
    Column("event", Text, nullable=False),
    Column("source", Text),
    Column("target", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("why", Text),
)
Index("ix_event_job_id", event.c.job_id)

upload = Table(
    "upload",
    metadata,
    Column("account", Text, primary_key=True),
    Column("sha256", Text, primary_key=True),
    Column("url", Text, nullable=False),
    Column("uploaded_at", Float, nullable=False),
)

callback = Table(
    "callback",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("attempt_id", Text, ForeignKey("attempt.id"), nullable=False),
    Column("remote_id", Text, nullable=False),
    Column("received_at", Float, nullable=False),
    Column("handled_at", Float),
)
Index("ix_callback_attempt_id", callback.c.attempt_id)
Index("ix_callback_waiting", callback.c.received_at, sqlite_where=text("handled_at IS NULL"))

for _trigger in TRIGGERS:
    sqlalchemy_event.listen(metadata, "after_create", DDL(_trigger))  # type: ignore[no-untyped-call]
