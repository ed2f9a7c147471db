"""`orchestrator.toml`."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from pydantic import ValidationError

from orchestrator.batchfile import Problems
from orchestrator.config.fields import SettingsFile, report
from orchestrator.jobs.places import Place
from orchestrator.jobs.spec import Json


@dataclass(frozen=True, kw_only=True, slots=True)
class FileSettings:
    """What `orchestrator.toml` says."""

    path: Path | None = None
    accounts: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    defaults: Mapping[str, Json] = field(default_factory=dict)
    db: str | None = None
    out: str | None = None
    budget: Decimal | None = None
    """USD that a batch may cost when nothing else says so."""


def read_settings(path: Path | None, problems: Problems) -> FileSettings:
    """Read `orchestrator.toml`: the file given, or the one in the working directory if it is there."""
    found = path or Path("orchestrator.toml")
    if path is None and not found.is_file():
        return FileSettings()
    try:
        data = tomllib.loads(found.read_text(encoding="utf-8"))
    except OSError as error:
        problems.add(f"this file cannot be read: {error.strerror or error}", Place(str(found)))
        return FileSettings()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.add(f"this is no TOML: {error}", Place(str(found)))
        return FileSettings()
    if data.pop("notify", None) is not None:
        problems.add("`notify` is not supported yet; take it out of the file", Place(str(found)))
    try:
        checked = SettingsFile.model_validate(data)
    except ValidationError as error:
        report(error, problems, SettingsFile, lambda _: Place(str(found)), prefix="")
        return FileSettings()
    return FileSettings(path=found, **{name: getattr(checked, name) for name in SettingsFile.model_fields})
