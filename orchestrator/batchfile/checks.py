"""The checks of single fields: type, range, form. Each wrong one becomes a problem with its place."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from orchestrator.batchfile.entry import Entry
from orchestrator.batchfile.images import located
from orchestrator.batchfile.problems import Problems
from orchestrator.batchfile.wording import hint, shown
from orchestrator.jobs.keys import MAX_KEY_LENGTH
from orchestrator.jobs.places import FieldPath, Severity
from orchestrator.jobs.spec import Json, ParentImage

HIGHEST_PRIORITY = 1_000_000
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_DIGITS = re.compile(r"\s*[+-]?\d+\s*")


class EntryChecker:
    """Checks the fields of one entry and remembers whether all of them were right."""

    def __init__(self, entry: Entry, problems: Problems, folder: Path) -> None:
        self.entry = entry
        self.sound = entry.sound
        self._problems = problems
        self._folder = folder

    def wrong(self, message: str, path: FieldPath = ()) -> None:
        """Note a problem at the value of a field, or at the whole entry."""
        self._problems.add(message, self.entry.place_of(path))
        self.sound = False

    def wrong_at_job(self, message: str, path: FieldPath) -> None:
        """Note a problem at a field, or at the job where the field came from further above, by a merge key."""
        self._problems.add(message, max(self.entry.place, self.entry.place_of(path)))
        self.sound = False

    def doubt(self, message: str, path: FieldPath) -> None:
        """Note a warning at the value of a field."""
        self._problems.add(message, self.entry.place_of(path), Severity.WARNING)

    def given(self, checks: Mapping[str, "Check"]) -> dict[str, Json]:
        """Return the fields that are given and right; null means not given, a name without a check is a problem."""
        found: dict[str, Json] = {}
        for name, value in self.entry.values.items():
            check = checks.get(name)
            if check is None:
                self._unknown(name, checks)
            elif value is not None:
                checked = check(self, (name,), value)
                if checked is not None:
                    found[name] = checked
        return found

    def _unknown(self, name: str, checks: Mapping[str, "Check"]) -> None:
        self.sound = False
        place = self.entry.place_of_name((name,))
        advice = hint(name, checks) or "; what only the model knows belongs under `params`"
        self._problems.add(f"unknown field {shown(name)}{advice}", place)

    def text(self, path: FieldPath, value: Json) -> str | None:
        """Accept a text; for what merely looks like a number or a date, take what the file says."""
        text = value if isinstance(value, str) else self.entry.texts.get(path)
        if text is None and isinstance(value, int) and not isinstance(value, bool):
            text = str(value)
        if text is None:
            self.wrong(f"{_dotted(path)} must be text; got {shown(value)}", path)
        elif not text.strip():
            self.wrong(f"{_dotted(path)} must not be empty; leave it out or give a value", path)
            return None
        return text

    def trimmed(self, path: FieldPath, value: Json) -> str | None:
        """Accept a text without the blanks around it: sizes are copied from tables that have them."""
        text = self.text(path, value)
        return text and text.strip()

    def key(self, path: FieldPath, value: Json) -> str | None:
        """Accept the name of a job: 1 to 200 characters, none of them a control character, no blanks around."""
        text = self.text(path, value)
        if text is None:
            return None
        if len(text) > MAX_KEY_LENGTH:
            self.wrong(f"{_dotted(path)} must be at most {MAX_KEY_LENGTH} characters long; got {len(text)}", path)
        elif _CONTROL.search(text):
            self.wrong(f"{_dotted(path)} must not have control characters or line breaks; got {shown(text)}", path)
        elif text != text.strip():
            self.wrong(f"{_dotted(path)} must not begin or end with a blank; got {shown(text)}", path)
        else:
            return text
        return None

    def prompt(self, path: FieldPath, value: Json) -> str | None:
        """Accept a text with something in it; unlike other texts, a bare `no` or `5` is taken for a mistake."""
        if isinstance(value, str) and value.strip() and "\x00" not in value:
            return value
        if isinstance(value, str) and value.strip():
            self.wrong("prompt must not have NUL characters", path)
        elif isinstance(value, str):
            self.wrong("prompt must not be empty", path)
        else:
            found = self.entry.texts.get(path) or shown(value)
            self.wrong(f"prompt must be text: put it in quotes; got {found}", path)
        return None

    def whole_number(self, path: FieldPath, value: Json, low: int, high: int | None = None) -> int | None:
        """Accept an integer from `low` to `high`; numbers in quotes are pointed out."""
        name = _dotted(path)
        if isinstance(value, str) and _DIGITS.fullmatch(value):
            self.wrong(f"{name} must be a number: write {value.strip()} without quotes; got {shown(value)}", path)
        elif isinstance(value, bool) or not isinstance(value, int) or value < low or (high is not None and value > high):
            span = f"from {low}" if high is None else f"from {low} to {high}"
            self.wrong(f"{name} must be a whole number {span}; got {shown(value)}", path)
        else:
            return value
        return None

    def count(self, path: FieldPath, value: Json) -> int | None:
        """Accept a number of images."""
        return self.whole_number(path, value, 1)

    def priority(self, path: FieldPath, value: Json) -> int | None:
        """Accept a priority."""
        return self.whole_number(path, value, -HIGHEST_PRIORITY, HIGHEST_PRIORITY)

    def mapping(self, path: FieldPath, value: Json) -> dict[str, Json] | None:
        """Accept names with any JSON values."""
        if isinstance(value, dict):
            return value
        self.wrong(f"{_dotted(path)} must be a mapping of names to values; got {shown(value)}", path)
        return None

    def variables(self, path: FieldPath, value: Json) -> dict[str, str] | None:
        """Accept names with texts or numbers, and return all as the texts that go into the prompt."""
        texts = self.mapping(path, value)
        if texts is None:
            return None
        return {name: self._variable((*path, name), found) for name, found in texts.items()}

    def _variable(self, path: FieldPath, value: Json) -> str:
        if isinstance(value, str):
            return value
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return self.entry.texts.get(path) or str(value)
        found = self.entry.texts.get(path) or shown(value)
        self.wrong(f"{_dotted(path)} must be text or a number: put it in quotes; got {found}", path)
        return found

    def references(self, path: FieldPath, value: Json) -> tuple[str | ParentImage, ...] | None:
        """Accept a list of paths, URLs and images of other jobs, or a single one."""
        if not isinstance(value, list):
            single = self.image(path, value)
            return None if single is None else (single,)
        found = [self.image((*path, index), reference) for index, reference in enumerate(value)]
        return tuple(reference for reference in found if reference is not None)

    def image(self, path: FieldPath, value: Json) -> str | ParentImage | None:
        """Accept a path, a URL, or an image of another job: `{job: KEY, image: 0}`."""
        if isinstance(value, dict):
            return self._parent_image(path, value)
        text = value if isinstance(value, str) else self.entry.texts.get(path)
        if text is None:
            self.wrong(f"{_dotted(path)} must be a path or an http(s) URL; got {shown(value)}", path)
            return None
        try:
            return located(text, self._folder)
        except ValueError as error:
            self.wrong(f"{_dotted(path)} {error}", path)
            return None

    def _parent_image(self, path: FieldPath, value: dict[str, Json]) -> ParentImage | None:
        unknown = value.keys() - {"job", "image"}
        if unknown or "job" not in value:
            found = f"got the names {', '.join(map(shown, value))}" if value else "got an empty mapping"
            self.wrong(f"{_dotted(path)} must name another job as {{job: KEY, image: 0}}; {found}", path)
            return None
        key = self.key((*path, "job"), value["job"])
        image = self.whole_number((*path, "image"), value.get("image", 0), 0)
        return None if key is None or image is None else ParentImage(job=key, image=image)

    def switch(self, path: FieldPath, value: Json) -> bool | None:
        """Accept true or false."""
        if isinstance(value, bool):
            return value
        self.wrong(f"{_dotted(path)} must be true or false; got {shown(value)}", path)
        return None


Check = Callable[[EntryChecker, FieldPath, Json], Json]


def _dotted(path: FieldPath) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


DEFAULT_CHECKS: Mapping[str, Check] = {
    "account": EntryChecker.text,
    "model": EntryChecker.text,
    "endpoint": EntryChecker.text,
    "size": EntryChecker.trimmed,
    "n": EntryChecker.count,
    "quality": EntryChecker.text,
    "output_format": EntryChecker.text,
    "params": EntryChecker.mapping,
    "extra": EntryChecker.mapping,
    "references": EntryChecker.references,
    "mask": EntryChecker.image,
    "fan_out": EntryChecker.switch,
    "vars": EntryChecker.variables,
    "meta": EntryChecker.mapping,
    "priority": EntryChecker.priority,
}
"""The fields that `defaults` may give."""

JOB_CHECKS: Mapping[str, Check] = {
    "id": EntryChecker.key,
    "prompt": EntryChecker.prompt,
    "continues": EntryChecker.key,
    **DEFAULT_CHECKS,
}
"""The fields of a job (design.md 6)."""
