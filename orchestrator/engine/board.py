"""The figures of a run as it goes, counted from the committed steps: nothing has to scan the store to show progress."""

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal

from orchestrator.engine.news import Event
from orchestrator.engine.outlook import Ahead, Outlook
from orchestrator.jobs.clock import Clock
from orchestrator.jobs.forecast import Left
from orchestrator.jobs.lifecycle import AT_REST, State
from orchestrator.store.records import Job


class Board:
    """Jobs per state, images, money and time of a run."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._started_at = clock.monotonic()
        self.states: Counter[State] = Counter()
        self.images = 0
        """Images saved in this run."""
        self.spent = Decimal(0)
        """USD settled in this run."""
        self.unpriced = 0
        """Answers of this run whose cost nobody knows."""
        self.at_stake = Decimal(0)
        """USD at worst of the attempts that came into doubt in this run."""
        self.troubled: Counter[str] = Counter()
        """Jobs by batch that failed, expired or came out partial in this run."""
        self.paused: dict[str, str] = {}
        """Accounts that stopped, and why."""
        self._rested = 0

        self.left: dict[str, Left] = {}
        """What each account has still to send."""
        self.outlook: Outlook | None = None
        """What is ahead; None before work begins."""

    def begin(self, states: Mapping[State, int]) -> None:
        """Take the figures of the store as they are at the start."""
        self.states = Counter(states)

    def expect(self, left: Mapping[str, Left], outlook: Outlook) -> None:
        """Reckon from now on with what is left to send."""
        self.left, self.outlook = dict(left), outlook

    def step(self, job: Job, target: State) -> None:
        """Count a committed step."""
        # A child that its parent's end has let go is still counted as blocked, until the figures are next taken from the store.
        unheard = job.state is State.PENDING and not self.states[State.PENDING] and self.states[State.BLOCKED]
        self.states[State.BLOCKED if unheard else job.state] -= 1
        self.states[target] += 1
        if job.state is State.PENDING or target is State.PENDING:
            sent = -1 if job.state is State.PENDING else 1
            self.left[job.account] = self.left.get(job.account, Left()).plus(sent, sent * job.spec.request_n)
        if target in AT_REST and job.state not in AT_REST:
            self._rested += 1
        if target in (State.FAILED, State.EXPIRED):
            self.troubled[job.batch] += 1

    def hear(self, event: Event) -> None:
        """Count what is told."""
        facts = event.facts
        if event.name == "image_saved":
            self.images += 1
        elif event.name == "job_ready":
            self.spent += facts["cost"] or 0
            self.unpriced += facts["cost"] is None
        elif event.name == "job_uncertain":
            self.at_stake += facts["at_stake"] or 0
        elif event.name == "job_succeeded":
            self.troubled[str(event.batch)] += bool(facts["partial"])
        elif event.name == "account_paused":
            self.paused[facts["account"]] = facts["message"]
        elif event.name == "account_resumed":
            self.paused.pop(facts["account"], None)

    @property
    def total(self) -> int:
        """Jobs in all."""
        return sum(self.states.values())

    @property
    def at_rest(self) -> int:
        """Jobs that nothing moves any more."""
        return sum(count for state, count in self.states.items() if state in AT_REST)

    @property
    def per_minute(self) -> float:
        """Images saved per minute of this run."""
        return self.images / self.elapsed * 60 if self.elapsed > 0 else 0.0

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return self._clock.monotonic() - self._started_at

    @property
    def ahead(self) -> Ahead | None:
        """The account that takes longest for what is left, and the limit that binds it; None where too little is known."""
        left = {account: left for account, left in self.left.items() if left.requests}
        return self.outlook.ahead(left) if self.outlook is not None and left else None

    @property
    def remaining(self) -> float | None:
        """Seconds until the rest is done: as the binding limit allows, else at the speed of this run; None while nobody knows."""
        if (ahead := self.ahead) is not None:
            return ahead.seconds
        if self._rested == 0:
            return None
        return (self.total - self.at_rest) * self.elapsed / self._rested
