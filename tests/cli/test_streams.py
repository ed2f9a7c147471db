"""Output that outlives its reader."""

import gc
import os

from orchestrator.cli.streams import lasting


def test_a_stream_that_was_closed_is_silent_and_ends_without_a_word() -> None:
    reading, writing = os.pipe()
    behind = os.fdopen(writing, "w")
    stream = lasting(behind)
    stream.write("heard\n")
    stream.flush()
    behind.close()
    assert stream.write("not heard\n") == len("not heard\n")
    assert not stream.isatty()
    del stream
    gc.collect()  # its end hands over what is left, and an error there would be a warning
    assert os.read(reading, 100) == b"heard\n"
    os.close(reading)


def test_a_reader_that_left_stops_nothing() -> None:
    reading, writing = os.pipe()
    behind = os.fdopen(writing, "w")
    stream = lasting(behind)
    os.close(reading)
    for _ in range(3):
        stream.write("to nobody\n" * 10_000)
        stream.flush()
    assert not stream.isatty()
    behind.close()
