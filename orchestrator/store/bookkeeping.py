"""The books are kept by the database itself, from the rows of the attempts, so that no verb can forget them.

An attempt holds money: what it did cost; while nobody knows, its worst case; nothing once it provably cost nothing. `booked`
of its batch, and of its account's day, is the sum of that: settled and reserved together. Every change of an attempt changes
both in the same transaction, whoever makes it, and always, so that a budget that is set later finds the books complete.

A new attempt that does not fit into a budget is refused by the database. What an attempt turns out to cost is never refused:
it is paid already.
"""

import sqlite3


class BudgetReached(Exception):
    """A budget does not allow a job, or has to and cannot tell: its price is unknown. Nothing was changed."""

    def __init__(self, *, per_day: bool) -> None:
        super().__init__("the budget of the account's day is reached" if per_day else "the budget of the batch is reached")
        self.per_day = per_day


_HELD = "CASE {row}.charged WHEN 'no' THEN 0 ELSE coalesce({row}.cost_settled, {row}.cost_reserved, 0) END"
_BEFORE, _AFTER = _HELD.format(row="OLD"), _HELD.format(row="NEW")
_BATCH = "id = (SELECT batch_id FROM job WHERE id = NEW.job_id)"
DAY = "CAST({row}started_at / 86400 AS INTEGER)"
"""The UTC day on which an attempt began, counted from 1970-01-01: its cost belongs to that day, whenever it becomes known."""
_DAY = DAY.format(row="NEW.")

TRIGGERS = (
    f"""
    CREATE TRIGGER attempt_fits_budget BEFORE INSERT ON attempt
    BEGIN
        SELECT RAISE(ABORT, 'budget') FROM batch
        WHERE {_BATCH} AND budget IS NOT NULL AND (NEW.cost_reserved IS NULL OR booked + NEW.cost_reserved > budget);
        SELECT RAISE(ABORT, 'budget_per_day')
        FROM account LEFT JOIN account_day ON account_day.account = account.name AND account_day.day = {_DAY}
        WHERE account.name = NEW.account AND budget_per_day IS NOT NULL
            AND (NEW.cost_reserved IS NULL OR coalesce(booked, 0) + NEW.cost_reserved > budget_per_day);
    END
    """,  # noqa: S608 - our own text
    f"""
    CREATE TRIGGER attempt_is_booked AFTER INSERT ON attempt WHEN {_AFTER} <> 0
    BEGIN
        UPDATE batch SET booked = booked + {_AFTER} WHERE {_BATCH};
        INSERT INTO account_day (account, day, booked) VALUES (NEW.account, {_DAY}, {_AFTER})
        ON CONFLICT (account, day) DO UPDATE SET booked = booked + excluded.booked;
    END
    """,  # noqa: S608 - our own text
    f"""
    CREATE TRIGGER attempt_is_settled AFTER UPDATE OF charged, cost_reserved, cost_settled ON attempt WHEN {_AFTER} <> {_BEFORE}
    BEGIN
        UPDATE batch SET booked = booked + {_AFTER} - {_BEFORE} WHERE {_BATCH};
        INSERT INTO account_day (account, day, booked) VALUES (NEW.account, {_DAY}, {_AFTER} - {_BEFORE})
        ON CONFLICT (account, day) DO UPDATE SET booked = booked + excluded.booked;
    END
    """,  # noqa: S608 - our own text
)


def budget_reached(error: sqlite3.IntegrityError) -> BudgetReached | None:
    """Return what the database's refusal of an attempt means for budgets; None when it refused for another reason."""
    if error.sqlite_errorname != "SQLITE_CONSTRAINT_TRIGGER":
        return None
    return BudgetReached(per_day=str(error) == "budget_per_day")
