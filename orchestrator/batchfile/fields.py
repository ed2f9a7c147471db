"""From an entry as written to a draft: defaults applied, fields moved where they belong, the prompt filled."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.batchfile.checks import DEFAULT_CHECKS, JOB_CHECKS, EntryChecker
from orchestrator.batchfile.entry import DraftPlaces, Entry
from orchestrator.batchfile.problems import Problems
from orchestrator.batchfile.prompts import Filled, fill
from orchestrator.batchfile.refusals import refuse_formats, refuse_keys
from orchestrator.batchfile.seen_keys import SeenKeys
from orchestrator.batchfile.wording import hint, shown
from orchestrator.jobs.places import FieldPath, Place, Places
from orchestrator.jobs.spec import JobDraft, Json

_UNSET: Mapping[str, Json] = {
    "id": None,
    "account": None,
    "model": None,
    "endpoint": None,
    "size": None,
    "n": None,
    "references": (),
    "mask": None,
    "continues": None,
    "fan_out": False,
    "priority": 0,
}
_NOTHING: Mapping[str, Json] = {}


@dataclass(frozen=True, slots=True)
class Row:
    """One job of a batch file, right in itself; whether its adapter takes it is asked elsewhere."""

    draft: JobDraft
    places: Places
    number: int
    """Position in the file, from 0; wrong rows count too."""


class JobReader:
    """Turns entries into rows, under the defaults of their file."""

    def __init__(self, *, folder: Path, problems: Problems, defaults: Entry | None = None) -> None:
        self._folder = folder
        self._problems = problems
        self._default_places: Mapping[FieldPath, Place] = defaults.fields if defaults else {}
        self.defaults = self._read_defaults(defaults) if defaults else {}
        """Checked defaults: `quality` and `output_format` in `params`, `size` and `n` out of it."""
        self._base = {**_UNSET, **self.defaults}

    def _read_defaults(self, entry: Entry) -> dict[str, Json]:
        checker = EntryChecker(entry, self._problems, self._folder)
        return _allowed(checker, _settled(checker, checker.given(DEFAULT_CHECKS)))

    def read(self, entry: Entry, number: int, keys: SeenKeys) -> Row | None:
        """Return the row of one entry, or None when something is wrong with it; every problem is noted."""
        checker = EntryChecker(entry, self._problems, self._folder)
        given = _allowed(checker, _settled(checker, checker.given(JOB_CHECKS)))
        self._refuse_blanks(checker)
        _refuse_second_use(checker, given, keys)
        prompt = self._prompt(checker, given)
        if prompt is None or not checker.sound:
            return None
        places = Places(entry.place, DraftPlaces(entry.fields, self._default_places))
        return Row(self._draft(prompt, given), places, number)

    def _refuse_blanks(self, checker: EntryChecker) -> None:
        for name, value in checker.entry.values.items():
            if value is None and self._base.get(name):
                checker.wrong(f"{name} is empty here, but the defaults give it; leave it out or give a value", (name,))

    def _prompt(self, checker: EntryChecker, given: Mapping[str, Json]) -> str | None:
        """Return the prompt with its placeholders filled, if the job or the defaults have `vars`."""
        prompt: str | None = given.get("prompt")
        if checker.entry.values.get("prompt") is None:
            checker.wrong("prompt is missing: every job needs one")
        if prompt is None or ("vars" not in given and "vars" not in self._base):
            return prompt
        values = {**self._base.get("vars", _NOTHING), **given.get("vars", _NOTHING)}
        filled = fill(prompt, values)
        _judge(checker, filled, values)
        for name in given.get("vars", _NOTHING):
            if name not in filled.used:
                checker.doubt(f"vars.{name} is not used: the prompt has no {{{name}}}", ("vars", name))
        return filled.text

    def _draft(self, prompt: str, given: Mapping[str, Json]) -> JobDraft:
        base = self._base
        taken = {**base, **given}
        return JobDraft(
            prompt=prompt,
            key=taken["id"],
            account=taken["account"],
            model=taken["model"],
            endpoint=taken["endpoint"],
            size=taken["size"],
            n=taken["n"],
            params={**base.get("params", _NOTHING), **given.get("params", _NOTHING)},
            extra={**base.get("extra", _NOTHING), **given.get("extra", _NOTHING)},
            references=taken["references"],
            mask=taken["mask"],
            continues=taken["continues"],
            fan_out=taken["fan_out"],
            meta={**base.get("meta", _NOTHING), **given.get("meta", _NOTHING)},
            priority=taken["priority"],
        )


def _judge(checker: EntryChecker, filled: Filled, values: Mapping[str, str]) -> None:
    for name in filled.unknown:
        advice = hint(name, values) or "; write {{ and }} for braces"
        checker.wrong(f"prompt has a placeholder {shown(name)}, but vars has no value for it{advice}", ("prompt",))
    if filled.stray:
        checker.wrong("prompt has a single brace: in a job with vars write {{ or }} for it", ("prompt",))
    if not filled.unknown and not filled.text.strip():
        checker.wrong("prompt is empty once its placeholders are filled", ("prompt",))


def _refuse_second_use(checker: EntryChecker, given: Mapping[str, Json], keys: SeenKeys) -> None:
    key = given.get("id")
    first = keys.first_line(key, checker.entry.place.line) if key is not None else None
    if first is not None:
        checker.wrong_at_job(f"id {shown(key)} is already used by the job in line {first}", ("id",))
    elif key is not None and (alike := keys.alike_line(key, checker.entry.place.line)) is not None:
        checker.doubt(f"id {shown(key)} differs in letter case alone from that in line {alike}, and so will their files", ("id",))


def _allowed(checker: EntryChecker, given: dict[str, Json]) -> dict[str, Json]:
    refuse_keys(checker)
    refuse_formats(checker, given)
    return given


def _settled(checker: EntryChecker, given: dict[str, Json]) -> dict[str, Json]:
    """Return the fields with each where it belongs; one given twice must say the same both times."""
    params = dict(given.get("params", _NOTHING))
    for name in ("quality", "output_format"):
        if name in given:
            direct = given.pop(name)
            if params.setdefault(name, direct) != direct:
                _refuse_both(checker, name, direct, params[name])
    for name, check in (("size", EntryChecker.trimmed), ("n", EntryChecker.count)):
        inner = params.pop(name, None)
        value = None if inner is None else check(checker, ("params", name), inner)
        if value is not None and given.setdefault(name, value) != value:
            _refuse_both(checker, name, given[name], value)
    if params or "params" in given:
        given["params"] = params
    return given


def _refuse_both(checker: EntryChecker, name: str, direct: Json, inner: Json) -> None:
    checker.wrong(f"{name} is given twice: {shown(direct)} here and {shown(inner)} in params; keep one", (name,))
