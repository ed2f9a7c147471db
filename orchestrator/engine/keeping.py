"""Keeps in the store what accounts teach, and tells of a gate that stays closed: once a second at most, never per job."""

from collections.abc import Iterable
from dataclasses import replace

from orchestrator.engine.desk import Desk
from orchestrator.engine.news import News
from orchestrator.jobs.clock import Clock
from orchestrator.jobs.lessons import Lessons
from orchestrator.store.store import Store

STUCK = 60.0
"""Seconds of refusals in a row after which the user hears of it."""
TELL_AGAIN = 600.0
"""Seconds after which he hears of it again."""
SAVE_EVERY = 10.0
"""Seconds between two savings at least, but for a gate that has just been closed."""


class Keeper:
    """Watches the desks of a run."""

    def __init__(self, store: Store, news: News, clock: Clock, desks: Iterable[Desk]) -> None:
        self._store, self._news, self._clock, self._desks = store, news, clock, desks
        self._kept: dict[str, tuple[Lessons, int]] = {}
        self._saved_at = clock.monotonic()
        self._told_at: dict[str, float] = {}

    async def look(self) -> None:
        """Save what has changed, when it is time, and tell what lasts."""
        is_time = self._clock.monotonic() - self._saved_at >= SAVE_EVERY
        for desk in self._desks:
            self._tell(desk)
            if is_time or self._kept.get(desk.name, (None, 0))[1] != desk.limiter.closures:
                await self._save(desk)
        if is_time:
            self._saved_at = self._clock.monotonic()

    async def end(self) -> None:
        """Save everything."""
        for desk in self._desks:
            await self._save(desk)

    async def _save(self, desk: Desk) -> None:
        limiter = desk.limiter
        lessons = replace(
            desk.lessons, requests=limiter.requests.learned, images=limiter.images.learned, answer=_rounded(limiter.answer)
        )
        if self._kept.get(desk.name) == (lessons, limiter.closures) and not desk.has_seen_tasks:
            return
        desk.has_seen_tasks = False
        self._kept[desk.name] = (lessons, limiter.closures)
        until = self._clock.now() + limiter.closed_for
        await self._store.keep_lessons(desk.name, lessons.as_json(), gate_until=until, gate_streak=limiter.streak)

    def _tell(self, desk: Desk) -> None:
        now, stuck = self._clock.monotonic(), desk.limiter.stuck_for
        if stuck < STUCK or desk.paused is not None:
            self._told_at.pop(desk.name, None)
        elif now - self._told_at.get(desk.name, float("-inf")) >= TELL_AGAIN:
            self._told_at[desk.name] = now
            self._news.tell("gate_stays_closed", account=desk.name, seconds=round(stuck), message=advice(desk, now))


def _rounded(answer: float | None) -> float | None:
    return None if answer is None else round(answer, 1)


def advice(desk: Desk, now: float) -> str:
    """Return what to review about an account that refuses everything, and what it allowed until `now` (monotonic seconds)."""
    settings, limiter = desk.settings, desk.limiter
    pace = ", ".join(f"{name} {limit}" for name, limit in (("rpm", settings.rpm), ("ipm", settings.ipm)) if limit is not None)
    review = f"its rate ({pace or 'rpm and ipm, which are not set'}), concurrency ({settings.concurrency}) and quota"
    most = max(limiter.images.most, limiter.images.used(now))
    return f"{desk.name} refuses everything; review {review}; so far it has allowed {most} images in a minute"
