"""What stands in a YAML batch file beside the jobs: its name, accounts and defaults."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from yaml.events import Event, ScalarEvent

from orchestrator.batchfile.entry import Entry
from orchestrator.batchfile.header import is_legal, legal_name
from orchestrator.batchfile.wording import hint, shown
from orchestrator.batchfile.yaml_values import Composer, Notes
from orchestrator.jobs.money import usd
from orchestrator.jobs.places import Place
from orchestrator.jobs.spec import Json

TOP_NAMES = ("batch", "accounts", "defaults", "budget", "weight", "silence", "jobs")
_HEAVIEST = 1000


@dataclass(kw_only=True)
class Top:
    """Filled while the file is read."""

    name: str | None = None
    accounts: dict[str, Mapping[str, Json]] = field(default_factory=dict)
    account_places: dict[tuple[str, ...], Place] = field(default_factory=dict)
    defaults: Entry | None = None
    budget: Decimal | None = None
    weight: int = 1
    silence: dict[str, Place] = field(default_factory=dict)

    def take(self, name: ScalarEvent, composer: Composer) -> None:
        """Read the value that follows a top-level name other than `jobs`."""
        first = composer.next()
        if name.value == "batch":
            self._take_name(first, composer)
        elif name.value == "accounts":
            self._take_accounts(first, composer)
        elif name.value == "defaults":
            self._take_defaults(first, composer)
        elif name.value == "budget":
            self._take_budget(first, composer)
        elif name.value == "weight":
            self._take_weight(first, composer)
        elif name.value == "silence":
            self._take_silence(first, composer)
        else:
            composer.wrong(_unknown(name.value), name)
            composer.skip(first)

    def _take_name(self, first: Event, composer: Composer) -> None:
        notes = Notes()
        value = composer.node(first, (), notes)
        text = notes.texts.get((), value)
        if isinstance(text, str) and is_legal(text):
            self.name = text
            return
        better = f", e.g. {legal_name(text)}" if isinstance(text, str) else ""
        composer.wrong(f"batch must be a name of letters, digits, `_`, `.` and `-`{better}; got {shown(text)}", first)

    def _take_accounts(self, first: Event, composer: Composer) -> None:
        notes = Notes()
        value = composer.node(first, (), notes)
        if not isinstance(value, dict):
            if value is not None:
                composer.wrong(f"accounts must be a mapping of names to settings; got {shown(value)}", first)
            return
        for name, settings in value.items():
            if isinstance(settings, dict):
                self.accounts[name] = settings
            else:
                message = f"account {shown(name)} must be a mapping like {{provider: openai}}; got {shown(settings)}"
                composer.wrong_at(message, notes.marks[name,])
        places = composer.places({**notes.marks, **{path: mark for path, mark in notes.names.items() if len(path) == 1}})
        self.account_places = {tuple(map(str, path)): place for path, place in places.items() if path}

    def _take_defaults(self, first: Event, composer: Composer) -> None:
        self.defaults = composer.entry(first, "defaults must be a mapping of fields to values", optional=True)

    def _take_budget(self, first: Event, composer: Composer) -> None:
        notes = Notes()
        value = composer.node(first, (), notes)
        if value is None:
            return
        try:
            self.budget = usd(notes.texts.get((), value))  # the text, since a float would not be what was written
        except ValueError as error:
            composer.wrong(f"budget {error}", first)

    def _take_weight(self, first: Event, composer: Composer) -> None:
        value = composer.node(first, (), Notes())
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _HEAVIEST:
            self.weight = value
        elif value is not None:
            composer.wrong(f"weight must be a whole number from 1 to {_HEAVIEST}; got {shown(value)}", first)

    def _take_silence(self, first: Event, composer: Composer) -> None:
        notes = Notes()
        value = composer.node(first, (), notes)
        if value is None:
            return
        if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
            composer.wrong(f"silence must be a list of hints by their names; got {shown(value)}", first)
            return
        self.silence = {name: composer.place(notes.marks[index,]) for index, name in enumerate(value)}


def _unknown(name: str) -> str:
    advice = hint(name, TOP_NAMES) or f"; the file has {', '.join(TOP_NAMES)}"
    return f"unknown name {shown(name)}{advice}"
