"""What an account has taught, in the form that outlives the process."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from orchestrator.jobs.latency import Latency
from orchestrator.jobs.meter import Learned
from orchestrator.jobs.spec import Json


@dataclass(frozen=True, kw_only=True, slots=True)
class Lessons:
    """Limits as refusals have shown them, and how long tasks take."""

    requests: Learned = field(default_factory=Learned)
    images: Learned = field(default_factory=Learned)
    answer: float | None = None
    """Seconds in which paid requests are answered."""
    latencies: dict[str, Latency] = field(default_factory=dict)
    """By model."""

    @classmethod
    def of(cls, stored: Mapping[str, Json] | None) -> "Lessons":
        """Return what `as_json` gave; what an earlier version did not know is not known."""
        stored = stored or {}
        return cls(
            requests=Learned(**stored.get("requests") or {}),
            images=Learned(**stored.get("images") or {}),
            answer=stored.get("answer"),
            latencies={model: Latency.of(bins) for model, bins in (stored.get("latencies") or {}).items()},
        )

    def as_json(self) -> dict[str, Json]:
        """Return the lessons as JSON."""
        return {
            "requests": asdict(self.requests),
            "images": asdict(self.images),
            "answer": self.answer,
            "latencies": {model: latency.as_json() for model, latency in self.latencies.items()},
        }
