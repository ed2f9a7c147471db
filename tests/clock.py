"""A clock that stands still until it is moved."""


class StillClock:
    """Time by hand: for what asks for the time and does not wait."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._now = now

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._now

    def move(self, seconds: float) -> None:
        self._now += seconds

    async def sleep(self, seconds: float) -> None:
        raise AssertionError(f"nobody should wait {seconds} s here")
