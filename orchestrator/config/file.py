"""`orchestrator.toml`."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from pydantic import ValidationError

from orchestrator.batchfile import Problems
from orchestrator.config.fields import SettingsFile, report
from orchestrator.config.notify import Notify, notify_of
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
    silence: Sequence[str] = ()
    """Hints that are not wanted, by their names."""
    catalog: Mapping[str, Json] = field(default_factory=dict)
    """What the user knows of models better than the program: laid over its catalog, checked there."""

    notify: Notify | None = None
    """Whom to tell when a batch ends, pauses or has uncertain jobs."""

    @property
    def place(self) -> Place | None:
        """The file itself, if there is one."""
        return Place(str(self.path)) if self.path else None


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
    try:
        checked = SettingsFile.model_validate(data)
    except ValidationError as error:
        report(error, problems, SettingsFile, lambda _: Place(str(found)), prefix="")
        return FileSettings()
    values = {name: getattr(checked, name) for name in SettingsFile.model_fields}
    return FileSettings(path=found, **{**values, "notify": notify_of(checked.notify)})
