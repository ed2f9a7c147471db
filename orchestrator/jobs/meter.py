"""One limit of an account, such as images per minute: what may go now, when more may, and what refusals teach about it.

Nobody says how a provider counts, so it is found out. Units are paced as if a bucket of one window's units were filled evenly,
which is the most that any provider allows. One that counts windows, fixed or sliding, refuses within the first of them although
the bucket holds enough; from then on no window as long as the provider's gets more than the limit, wherever it begins. A bucket
that is smaller than a window's units refuses early, and its size is learned; a limit that nobody stated is found by its refusals.
All moments are monotonic seconds that the caller hands in.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from orchestrator.jobs.recent import WINDOW, Recent

GROWTH = 0.05
"""Share by which a limit that was only learned is exceeded now and then, to see whether it has grown."""
MOST_PATIENCE = 32
"""Windows between two such trials at most."""
_TROUBLE = 0.25
"""Share of the most that was let through in a window, from which down a refusal is not about a limit."""
_NEARLY = 0.8
"""Share of a learned limit from which on a refusal is about the limit itself, and not about too much at once."""
_MOST_LOWERED = 8
"""Times a limit is lowered without a calm window; what still refuses then does not do it for the pace."""
_LONGEST_STRIDE = 1024
"""Growth that was never refused, after which there is no limit."""
_SOON, _ENOUGH = 0.25, 30
"""Share of a window after which so many units that went through between refusals tell the limit."""
_ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True, slots=True)
class Learned:
    """What refusals have taught; it outlives the process."""

    limit: int | None = None
    """Units per window."""
    burst: float | None = None
    """Units that may go at once, where that is less than the limit."""
    windowed: bool = False
    """Whether the provider counts windows, so that evenly filled buckets allow too much."""


class Meter:
    """Counts units, each in the window from when it was sent."""

    def __init__(self, stated: int | None, learned: Learned | None = None, window: float = WINDOW) -> None:
        self.stated = stated
        """What the user, the catalog or the provider says; None where nobody does."""
        self.learned = learned or Learned()
        self._window, self._recent = window, Recent(window)
        self._reserved = self._unanswered = 0
        self._level, self._level_at = 0.0, 0.0
        self._refused_at: float | None = None
        self._pressed_since: float | None = None
        self._bound_at: float | None = None
        self._calm_since: float | None = None
        self._before_trial: Learned | None = None
        self.most = 0
        """Units that the provider let through in one window so far, as seen when it refused more."""
        self._patience, self._stride = 2, 1
        self._doubted = False
        self._lowered, self._deaf_until = 0, float("-inf")

    @property
    def limit(self) -> int | None:
        """Units per window; None while it is not known."""
        if self._doubted and self.learned.limit is None:
            return None
        known = [limit for limit in (self.stated, self.learned.limit) if limit is not None]
        return min(known, default=None)

    def used(self, now: float) -> int:
        """Return the units sent in the window that ends now."""
        return self._recent.used(now)

    def free(self, now: float) -> float:
        """Return how many units may go at once; 0 while the limit is not known."""
        limit = self.limit
        if limit is None:
            return 0.0
        return max(0.0, limit - self.used(now) if self.learned.windowed else self._capacity(limit) - self._filled(now, limit))

    def remember(self, sent: Iterable[tuple[float, int]]) -> None:
        """Count what an earlier process has sent: moments, oldest first, and units."""
        for at, units in sent:
            self._count(units, at)

    def reserve(self, units: int) -> None:
        """Keep room for units that are about to be sent."""
        self._reserved += units

    def sent(self, units: int, now: float) -> None:
        """Count reserved units from now on, when they leave: a reservation may have waited long."""
        self._reserved -= units
        self._unanswered += units
        self._count(units, now)

    def answered(self, units: int) -> None:
        """Note that units which were sent are in the air no more, whatever came of them."""
        self._unanswered -= units

    def cancel(self, units: int) -> None:
        """Give reserved units back."""
        self._reserved -= units

    def wait(self, units: int, now: float) -> float:
        """Return the seconds until `units` more may be sent; 0 when they may go now.

        More than the whole limit may go when nothing else is counted: a provider refuses them for good, in its own words.
        """
        limit = self.limit
        if limit is None:
            return 0.0
        self._try_more(now)
        ready_at = self._token_at(units, now, limit)
        if self.learned.windowed:
            ready_at = max(ready_at, self._room_at(units, now, limit)[0])
        if ready_at > now:
            self._bound_at = now
        return ready_at - now

    def spare(self, units: int, now: float) -> int:
        """Return the most units that may pass a request for `units` that has to wait, without making it wait longer.

        Only windows leave such gaps: what is kept for a large request would expire unused.
        """
        limit = self.limit
        if limit is None or not self.learned.windowed:
            return 0
        at, used_then = self._room_at(units, now, limit)
        if at <= now:
            return 0
        free = min(limit - self.used(now), limit - used_then - units)
        if self.learned.burst is not None:
            free = min(free, int(self._capacity(limit) - self._filled(now, limit)))
        return max(0, free - self._reserved)

    def gap(self, now: float) -> int:
        """Return how many units still fit into a window that has begun; 0 where no windows are counted, or none has begun."""
        limit, taken = self.limit, self.used(now) + self._reserved
        if limit is None or not self.learned.windowed or taken == 0:
            return 0
        free = limit - taken
        if self.learned.burst is not None:
            free = min(free, int(self._capacity(limit) - self._filled(now, limit)) - self._reserved)
        return max(0, free)

    def next_room(self, now: float) -> float:
        """Return the seconds until a window has room for something again, however small."""
        return self._recent.next_change(now) if self.learned.windowed else float("inf")

    def accepted(self) -> None:
        """Note that the provider took a request, so that it does not refuse all."""
        self._refused_at = None

    def returned(self, units: int) -> None:
        """Count refused units no more: mostly their provider does not count them either."""
        if self._recent.take_back(units):
            self._level = max(0.0, self._level - units)

    def refused(self, units: int, now: float) -> None:
        """Learn from a refusal of `units` that were counted as sent."""
        self.returned(units)
        limit, would_be = self.limit, self.used(now) + units
        self.most = max(self.most, would_be - self._unanswered)
        if self._before_trial is not None:
            self.learned, self._before_trial = self._before_trial, None
            self._patience, self._stride = min(MOST_PATIENCE, self._patience * 2), 1
        elif would_be - units <= _TROUBLE * self.most or now < self._deaf_until:
            return  # it lets through next to nothing, or refuses at any pace: that says nothing of its limits
        elif limit is None:
            self._find_limit(would_be, now)
        elif would_be > limit:
            self.learned = replace(self.learned, windowed=True)
            self._patience = min(MOST_PATIENCE, self._patience * 2)
        elif self._is_too_high(would_be, units, now, limit):
            self._lower(would_be, now)
        else:
            self._find_burst(units, now, limit)
        self._refused_at = self._calm_since = now
        self._level, self._level_at = self._capacity(self.limit or 0), now

    def _lower(self, would_be: int, now: float) -> None:
        """Go below a limit that was learned; one that was stated and is not true has to be found."""
        self._lowered = self._lowered + 1 if self._calm_since is not None and now - self._calm_since < self._window else 1
        if self._lowered > _MOST_LOWERED:
            self.learned, self._deaf_until, self._lowered = Learned(), now + MOST_PATIENCE * self._window, 0
        elif self.learned.limit is not None:
            self.learned = replace(self.learned, limit=max(1, would_be - 1), burst=None)
        else:
            self._doubted, self._pressed_since = True, now
            self.learned = Learned()

    def _is_too_high(self, would_be: int, units: int, now: float, limit: int) -> bool:
        """Say whether the limit itself is lower, and not only what may go at once: else a bucket would have been filled again."""
        if self.learned.limit == limit and would_be > _NEARLY * limit:
            return True
        if self.learned.burst is not None and self.learned.burst <= units:
            return True
        return self._refused_at is not None and (now - self._refused_at) * limit / self._window >= units

    def _find_limit(self, would_be: int, now: float) -> None:
        """Find a limit that nobody stated.

        Refused twice in a row, a window is full. Where some go through in between, a bucket is being filled again, and what it
        lets through from one refusal to a later one is its limit.
        """
        if self._refused_at is not None:
            self.learned = replace(self.learned, limit=max(1, would_be - 1))
            return
        since = self._pressed_since = now if self._pressed_since is None else self._pressed_since
        through = self._recent.since(since)
        if now - since >= self._window or (now - since >= _SOON * self._window and through >= _ENOUGH):
            self.learned = replace(self.learned, limit=max(1, round(through * self._window / (now - since))))

    def _find_burst(self, units: int, now: float, limit: int) -> None:
        """Take note of a bucket that is smaller than a window's units."""
        burst = max(1.0, self._filled(now, limit) + units - 1)
        self.learned = replace(self.learned, burst=min(burst, self._capacity(limit)), windowed=False)

    def _try_more(self, now: float) -> None:
        """Try a little more than refusals have taught, after a calm time with too little; a refusal takes it back."""
        limit = self.learned.limit
        if limit is None or (self.stated is not None and limit >= self.stated):
            return
        since = self._calm_since = now if self._calm_since is None else self._calm_since
        if self._before_trial is not None and now - since > self._recent.span:
            if self.learned.limit != self._before_trial.limit:
                self._patience, self._stride = max(1, self._patience // 2), self._stride * 2
            self._before_trial = None
        was_bound = self._bound_at is not None and self._bound_at >= since
        if self._before_trial is None and was_bound and now - since >= self._patience * self._window:
            self._before_trial, self._calm_since = self.learned, now
            if self.learned.windowed:
                self._level, self._level_at = max(self._filled(now, limit), self.used(now)), now  # not a whole bucket at once
                self.learned = replace(self.learned, windowed=False)
            elif self._stride > _LONGEST_STRIDE:
                self.learned = Learned()
            else:
                self.learned = Learned(limit=limit + self._stride * max(1, int(limit * GROWTH)))

    def _room_at(self, units: int, now: float, limit: int) -> tuple[float, int]:
        """Return when `units` fit into the window, and how many of the present ones are then still counted."""
        if self._reserved and self._reserved + units > limit:
            return now + self._recent.span, 0  # at the latest; the reserved ones have not even left
        return self._recent.down_to(max(0, limit - self._reserved - units), now)

    def _token_at(self, units: int, now: float, limit: int) -> float:
        """Return when an evenly filled bucket holds `units`; where windows are counted, it matters only if it is a small one."""
        if self.learned.windowed and self.learned.burst is None:
            return now
        over = self._filled(now, limit) + self._reserved + units - max(units, self._capacity(limit))
        return now + max(0.0, over - _ROUNDING) * self._recent.span / limit

    def _filled(self, now: float, limit: int) -> float:
        """Return how many units are missing in the bucket."""
        return max(0.0, self._level - max(0.0, now - self._level_at) * limit / self._recent.span)

    def _capacity(self, limit: int) -> float:
        return min(float(limit), self.learned.burst or float(limit))

    def _count(self, units: int, at: float) -> None:
        self._recent.add(units, at)
        limit = self.limit
        if limit is not None:
            self._level, self._level_at = self._filled(at, limit) + units, at
