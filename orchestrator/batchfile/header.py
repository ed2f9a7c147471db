"""What a batch file says once for all of its jobs."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from orchestrator.jobs.places import Place
from orchestrator.jobs.spec import Json

_LEGAL = re.compile(r"\w[\w.\-]{0,99}")
_ILLEGAL = re.compile(r"[^\w.\-]+")


@dataclass(frozen=True, kw_only=True)
class Header:
    """The part of a batch file that is not jobs."""

    name: str
    """The batch's name: `batch:`, else made from the file's name."""
    accounts: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    """Settings of each account as written; their values are not checked here."""
    account_places: Mapping[tuple[str, ...], Place] = field(default_factory=dict)
    """Where ("studio",) and ("studio", "concurrency") stand."""
    budget: Decimal | None = None
    """USD that the whole batch may cost; None where the file does not say."""
    weight: int = 1
    """Its share of an account beside other batches."""
    silence: Mapping[str, Place] = field(default_factory=dict)
    """Hints that are not wanted, each with its place; whether there are such hints is not checked here."""
    defaults: Mapping[str, Json] = field(default_factory=dict)
    """Checked like a job: `quality` and `output_format` are in `params`, `size` and `n` are not."""


def is_legal(name: str) -> bool:
    """Say whether a batch may be called this: 1 to 100 letters, digits, `_`, `.`, `-`, the first one no `.` or `-`."""
    return _LEGAL.fullmatch(name) is not None


def legal_name(text: str) -> str:
    """Return the legal name of a batch that is nearest to a text, e.g. a file's name."""
    plain = _ILLEGAL.sub("-", unicodedata.normalize("NFC", text)).strip("-.")
    return plain[:100] or "batch"
