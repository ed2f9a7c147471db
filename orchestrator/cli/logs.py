"""What libraries log, said in our form: one line each, and no traceback unless asked for."""

import logging

from orchestrator.cli.streams import say
from orchestrator.cli.words import brief, harmless, time_of_day


class _OneLine(logging.Handler):
    def __init__(self, *, verbose: bool) -> None:
        super().__init__(logging.WARNING)
        self._verbose = verbose

    def emit(self, record: logging.LogRecord) -> None:
        say(f'{time_of_day(record.created)} library_log logger={record.name} message="{brief(record.getMessage())}"')
        if self._verbose and record.exc_info:
            for line in logging.Formatter().formatException(record.exc_info).splitlines():
                say(harmless(line))


def listen_to_libraries(*, verbose: bool) -> None:
    """Show warnings and errors of libraries as lines."""
    logging.getLogger().addHandler(_OneLine(verbose=verbose))
    logging.captureWarnings(capture=True)
