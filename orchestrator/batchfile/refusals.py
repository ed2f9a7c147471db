"""What no job may hold, whoever makes its image: keys, and formats that cannot be saved safely."""

from collections.abc import Iterator, Mapping

from orchestrator.batchfile.checks import EntryChecker
from orchestrator.jobs.places import FieldPath
from orchestrator.jobs.secrets import holds_a_key
from orchestrator.jobs.spec import Json

_UNSAFE_FORMATS: Mapping[str, str] = {"svg": "an SVG can hold scripts, and no decoder here tells whether it came whole"}


def refuse_keys(checker: EntryChecker) -> None:
    """Note a problem wherever an API key stands: it would go into requests, the store and the manifest."""
    for path, text in _texts(checker.entry.values, ()):
        if holds_a_key(text):
            checker.wrong(
                "this looks like an API key; keys come from the environment only: take it out and replace the key", path
            )


def _texts(value: Json, path: FieldPath) -> Iterator[tuple[FieldPath, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _texts(inner, (*path, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _texts(inner, (*path, index))


def refuse_formats(checker: EntryChecker, given: Mapping[str, Json]) -> None:
    """Note a problem where a format is ordered that would be paid for and could not be saved."""
    for group in ("params", "extra"):
        asked = given.get(group, {}).get("output_format")
        why = _UNSAFE_FORMATS.get(asked.lower()) if isinstance(asked, str) else None
        if why:
            path = (group, "output_format") if "output_format" not in checker.entry.values else ("output_format",)
            checker.wrong(f"output_format {asked} is not supported: {why}; order png, webp or jpeg", path)
