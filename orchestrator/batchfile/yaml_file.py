"""YAML: read twice by events, first everything but the jobs, then one job at a time; never the whole."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import yaml
from yaml.events import (
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from orchestrator.batchfile.entry import Entry
from orchestrator.batchfile.problems import Problems
from orchestrator.batchfile.text import encoding_of, open_text, report_undecodable
from orchestrator.batchfile.wording import shown
from orchestrator.batchfile.yaml_errors import place_of, plain
from orchestrator.batchfile.yaml_events import Events
from orchestrator.batchfile.yaml_top import Top
from orchestrator.batchfile.yaml_values import Composer
from orchestrator.jobs.places import Place


class YamlFile:
    """One YAML batch file."""

    def __init__(self, path: Path, encoding: str | None, problems: Problems) -> None:
        self._path = path
        self._encoding = encoding
        self._problems = problems
        self._jobs = 0

    def top(self) -> Top:
        """Read everything but the jobs; raises BadInput where there are no jobs to go on with, and OSError.

        The jobs are passed over, so that defaults may stand below them.
        """
        top = Top()
        self._jobs = 0
        with self._composer() as composer:
            for name in self._names(composer):
                if name.value == "jobs":
                    self._count_jobs(composer)
                else:
                    top.take(name, composer)
        if not self._jobs:
            self._problems.raise_if_any()
        return top

    def entries(self) -> Iterator[Entry | None]:
        """Yield the jobs; None for one that is no mapping, its problem noted. Raises OSError."""
        with self._composer() as composer:
            for name in self._names(composer):
                first = composer.next()
                if name.value != "jobs" or type(first) is not SequenceStartEvent:
                    composer.skip(first)
                    continue
                while type(item := composer.next()) is not SequenceEndEvent:
                    yield composer.entry(item, "a job must be a mapping with a prompt")
                return

    @contextmanager
    def _composer(self) -> Iterator[Composer]:
        """Open the file; a syntax error ends the reading and is noted."""
        # libyaml finds UTF-8 and UTF-16 by itself; only other encodings need to be decoded for it
        stream = open_text(self._path, self._encoding) if self._encoding else self._path.open("rb")
        try:
            with stream, closing(iter(Events(stream))) as events:
                yield Composer(events, str(self._path), self._problems)
        except yaml.YAMLError as error:
            encoding = None if self._encoding else encoding_of(self._path, None)
            self._problems.add(plain(error), place_of(error, self._path, encoding))
        except UnicodeDecodeError:
            report_undecodable(self._path, self._encoding, self._problems)

    def _names(self, composer: Composer) -> Iterator[ScalarEvent]:
        """Yield the names on the top level; whoever takes one reads its value."""
        self._enter(composer)
        seen: set[str] = set()
        while type(event := composer.next()) is not MappingEndEvent:
            if composer.name(event) is None or not isinstance(event, ScalarEvent):
                composer.skip(composer.next())
            elif event.value in seen:
                composer.wrong(f"{shown(event.value)} stands twice on the top level; keep one", event)
                composer.skip(composer.next())
            else:
                seen.add(event.value)
                yield event
        if "jobs" not in seen:
            self._problems.add("there are no jobs: the file needs `jobs:` with a list below it", Place(str(self._path)))
        self._expect_end(composer)

    def _enter(self, composer: Composer) -> None:
        """Go into the first document; raises BadInput where it is no mapping."""
        composer.next()
        if type(composer.next()) is StreamEndEvent:
            self._problems.add("the file is empty; it needs `jobs:` with a list below it", Place(str(self._path)))
            self._problems.raise_if_any()
        event = composer.next()
        if type(event) is not MappingStartEvent:
            found = "a list" if type(event) is SequenceStartEvent else "a single text"
            composer.wrong(f"the file must begin with names like `jobs:`, the list of jobs below it; got {found}", event)
            self._problems.raise_if_any()

    def _expect_end(self, composer: Composer) -> None:
        composer.next()
        event = composer.next()
        if type(event) is DocumentStartEvent:
            composer.wrong("a second YAML document begins here; a batch file has only one", event)

    def _count_jobs(self, composer: Composer) -> None:
        """Pass over the jobs and count them one by one, so that those above a syntax error are known of."""
        first = composer.next()
        if type(first) is not SequenceStartEvent:
            composer.wrong("jobs must be a list: begin each job with `- `", first)
            composer.skip(first)
            return
        while type(item := composer.next()) is not SequenceEndEvent:
            composer.skip(item)
            self._jobs += 1
        if not self._jobs:
            composer.wrong("jobs is empty: there is nothing to order", first)
