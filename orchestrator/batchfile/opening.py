"""Opening a batch file of any format."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from orchestrator.batchfile import jsonl_file
from orchestrator.batchfile.csv_file import read_header
from orchestrator.batchfile.entry import Entry
from orchestrator.batchfile.fields import JobReader, Row
from orchestrator.batchfile.header import Header, legal_name
from orchestrator.batchfile.problems import Problems
from orchestrator.batchfile.seen_keys import SeenKeys
from orchestrator.batchfile.text import is_known_encoding
from orchestrator.batchfile.wording import shown
from orchestrator.batchfile.yaml_file import YamlFile
from orchestrator.jobs.places import BadInput, Place

Entries = Callable[[], Iterator[Entry | None]]


class BatchFile:
    """One batch file: its header has been read, its jobs are read on demand."""

    def __init__(self, *, path: Path, header: Header, entries: Entries, reader: JobReader, problems: Problems) -> None:
        self.header = header
        self._path = path
        self._entries = entries
        self._reader = reader
        self._problems = problems

    def rows(self) -> Iterator[Row]:
        """Yield the jobs one at a time, in the order of the file; a wrong one is noted as a problem and left out.

        The batch is right only if no error was noted when all rows have been read.
        """
        keys = SeenKeys()
        number = -1
        try:
            for number, entry in enumerate(self._entries()):
                row = self._reader.read(entry, number, keys) if entry else None
                if row:
                    yield row
        except OSError as error:
            self._problems.add(_cannot_read(error), Place(str(self._path)))
        if number < 0 and not self._problems.errors:
            self._problems.add("there are no jobs in this file", Place(str(self._path)))


def open_batch(path: Path, problems: Problems, encoding: str | None = None) -> BatchFile:
    """Open a batch file by its suffix and read its header (design.md 6).

    `encoding` is for files that are neither UTF-8 nor UTF-16. Every problem goes to `problems`; raises BadInput with
    all of them where the jobs cannot be read at all.
    """
    try:
        open_format = _format_of(path, problems, encoding)
        return open_format(path, encoding, problems)
    except OSError as error:
        raise _given_up(_cannot_read(error), path, problems) from error


Opener = Callable[[Path, str | None, Problems], BatchFile]


def _format_of(path: Path, problems: Problems, encoding: str | None) -> Opener:
    if not path.is_file():
        path.stat()  # says why, where there is nothing at all
        raise _given_up("this is no regular file; a batch is read more than once, so it must stand in one", path, problems)
    if encoding is not None and not is_known_encoding(encoding):
        advice = "try utf-8, utf-16, cp1252 or latin-1"
        raise _given_up(f"the encoding {shown(encoding)} is not known; {advice}", path, problems)
    found = _FORMATS.get(path.suffix.lower())
    if found is None:
        raise _given_up(f"the name of a batch file must end in one of {', '.join(_FORMATS)}", path, problems)
    return found


def _given_up(message: str, path: Path, problems: Problems) -> BadInput:
    problems.add(message, Place(str(path)))
    return BadInput(problems.list)


def _cannot_read(error: OSError) -> str:
    return f"this file cannot be read: {error.strerror or error}"


def _open_yaml(path: Path, encoding: str | None, problems: Problems) -> BatchFile:
    file = YamlFile(path, encoding, problems)
    top = file.top()
    reader = JobReader(folder=_folder(path), problems=problems, defaults=top.defaults)
    header = Header(
        name=top.name or legal_name(path.stem),
        accounts=top.accounts,
        account_places=top.account_places,
        defaults=reader.defaults,
        budget=top.budget,
        weight=top.weight,
        silence=top.silence,
    )
    return BatchFile(path=path, header=header, entries=file.entries, reader=reader, problems=problems)


def _open_csv(path: Path, encoding: str | None, problems: Problems) -> BatchFile:
    return _headless(path, problems, read_header(path, encoding, problems).entries)


def _open_jsonl(path: Path, encoding: str | None, problems: Problems) -> BatchFile:
    path.open("rb").close()  # a file that may not be read is said now, not at the first row
    return _headless(path, problems, partial(jsonl_file.entries, path, encoding, problems))


def _headless(path: Path, problems: Problems, entries: Entries) -> BatchFile:
    header = Header(name=legal_name(path.stem))
    reader = JobReader(folder=_folder(path), problems=problems)
    return BatchFile(path=path, header=header, entries=entries, reader=reader, problems=problems)


def _folder(path: Path) -> Path:
    return path.absolute().parent


_FORMATS: Mapping[str, Opener] = {
    ".yaml": _open_yaml,
    ".yml": _open_yaml,
    ".csv": _open_csv,
    ".tsv": _open_csv,
    ".jsonl": _open_jsonl,
    ".ndjson": _open_jsonl,
}
