"""What the documents advise: doubts about jobs that would be accepted all the same.

One table, whose rows are silenced by their names.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from orchestrator.jobs.places import FieldPath
from orchestrator.jobs.spec import JobSpec, Json, LocalImage
from orchestrator.providers.catalog import Model

SMALL = 512
"""Pixels of the shorter edge below which a reference counts as weak: our reading of "check its quality", for which nobody gives a
figure."""

PNG_BY_DEFAULT = ("openai-images", "openai-edits", "openai-responses", "ttapi-images", "ttapi-edits")
"""APIs that send PNG where nothing is said (providers.md 2.1, 5.3, 5.7); of the others nobody knows."""

_KEEPING = re.compile(
    r"\bkeep|preserv|retain|maintain|\bsame\b|unchang|identical|exact|consisten|faithful|\bmatch|untouched|style of|"
    r"(?:not|n't|without) (?:change|chang|alter|modif)|\bas (?:it|they) (?:is|are)\b|"
    r"保持|保留|不变|不變|一致|相同|原样|原樣|風格|风格|сохран|остав|не мен|не измен|mant[eé]n|conserv|gard(?:e|ez)\b|behalt",
    re.IGNORECASE,
)
"""Words that say what of the references must stay."""

_DRAWING = re.compile(
    r"draw|paint|sketch|illustrat|generat|creat|render|make|design|image of|picture of|photo of"
    r"|[画畫绘繪]|生成|一张|一張|制作|製作|нарис|созда|сгенер|изобра|dibuj|dessin|zeichn|erstell|gener",
    re.IGNORECASE,
)
"""Words that ask for a picture."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One job as a hint sees it."""

    spec: JobSpec
    api: str
    """The adapter that takes the job."""
    model: Model
    """The catalog's rules for the job's model."""

    def asked(self, name: str) -> Json:
        """Return a parameter of the job; the account's constant ones are among them."""
        return self.spec.params.get(name)

    def takes(self, name: str, value: str) -> bool:
        """Whether the model is known to take this value for a parameter."""
        rule = self.model.params.get(name)
        return rule is not None and rule.values is not None and rule.allows(value)


@dataclass(frozen=True, kw_only=True, slots=True)
class Hint:
    """One piece of advice."""

    name: str
    """By which it is silenced."""
    source: str
    """Who says so."""
    path: FieldPath
    """Which field it is about."""
    advice: str
    fits: Callable[[Case], bool]
    once: bool = False
    """Whether it holds for all jobs of a model alike, so that saying it once is enough."""

    @property
    def message(self) -> str:
        """What the user reads."""
        return f"{self.advice} ({self.source}; silence: [{self.name}] stops this hint)"


def _weak_references(case: Case) -> bool:
    weak = [image for image in case.spec.references if isinstance(image, LocalImage) and min(image.width, image.height) < SMALL]
    return len(weak) > 1 and not _KEEPING.search(case.spec.prompt)


def _no_drawing(case: Case) -> bool:
    return case.api == "ttapi-4o" and bool(case.spec.prompt.strip()) and not _DRAWING.search(case.spec.prompt)


def _rough_edges(case: Case) -> bool:
    return (case.asked("background"), case.asked("quality")) == ("transparent", "low")


def _slow_png(case: Case) -> bool:
    wanted = case.asked("output_format") or ("png" if case.api in PNG_BY_DEFAULT else None)
    return wanted == "png" and case.takes("output_format", "jpeg") and case.asked("background") != "transparent"


HINTS: tuple[Hint, ...] = (
    Hint(
        name="weak-references",
        source="ToAPIs documentation, guide to the model",  # seed 000
        path=("references",),
        advice=f"several references under {SMALL} pixels and no word of what must stay make unstable results: "
        "take larger or fewer ones, and say in the prompt what to keep",
        fits=_weak_references,
    ),
    Hint(
        name="drawing-words",
        source="TTAPI documentation, 4o image",  # seed 001
        path=("prompt",),
        advice="the prompt asks for no drawing, so the answer may be words: say draw a ..., generate a ..., 画一张...",
        fits=_no_drawing,
    ),
    Hint(
        name="transparent-quality",
        source="OpenAI documentation, image generation guide",  # seed 004
        path=("params", "background"),
        advice="a transparent background comes out best with quality medium or high; got low",
        fits=_rough_edges,
    ),
    Hint(
        name="jpeg-speed",
        source="OpenAI documentation, image generation guide",  # seed 004
        path=("params", "output_format"),
        advice="png is what comes; where speed counts, output_format jpeg is faster",
        fits=_slow_png,
        once=True,
    ),
)
"""Every hint there is."""

NAMES: Mapping[str, Hint] = {hint.name: hint for hint in HINTS}


def hints_for(case: Case) -> Iterator[Hint]:
    """Yield the hints that fit a job."""
    return (hint for hint in HINTS if hint.fits(case))
