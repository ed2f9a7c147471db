"""The process that touches foreign bytes: limited in memory and time, without the keys, gone as soon as its parent is.

The results' `DecodePool` starts it as a program of its own. It reads one JSON request a line, with as many bytes after it as it
says, and answers with one JSON line.
"""

import json
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from orchestrator.decoding import publish, treatment
from orchestrator.decoding.decode import inspect
from orchestrator.decoding.facts import ImageFacts
from orchestrator.decoding.replies import Reply, done, failed

READY = b"ready\n"

TASKS: dict[str, Callable[..., Reply]] = {
    "save_inline": publish.save_inline,
    "save_part": publish.save_part,
    "save_together": publish.save_together,
    "inspect_file": publish.inspect_file,
    "inspect_bytes": publish.inspect_bytes,
    "treat_file": treatment.treat_file,
    "treat_bytes": treatment.treat_bytes,
}


def serve(requests: BinaryIO, replies: BinaryIO, *, seconds: float) -> None:
    """Answer requests until the parent closes its end, which is also what its death does."""

    def decode(file: BinaryIO) -> ImageFacts:
        with _limited(seconds):
            return inspect(file)

    replies.write(READY)
    replies.flush()
    for line in requests:
        request = json.loads(line)
        if size := request.pop("bytes"):
            request["content"] = requests.read(size)
        replies.write(json.dumps(_answer(request, decode)).encode() + b"\n")
        replies.flush()


def _answer(request: dict[str, Any], decode: Callable[[BinaryIO], ImageFacts]) -> Reply:
    try:
        return done(TASKS[request.pop("task")](decode, **request))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told to the parent, which raises it there
        return failed(error)


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """End this process by SIGALRM when the block takes longer: a decoder in C cannot be interrupted any other way."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _limit_memory(size: int) -> None:
    try:
        resource.setrlimit(resource.RLIMIT_AS, (size, size))
    except (OSError, ValueError):  # macOS has no such limit
        return


def main() -> None:
    """Run with two arguments: seconds per image, bytes of address space."""
    for stop in (signal.SIGINT, signal.SIGTERM):  # the parent drains first, and needs its workers for that
        signal.signal(stop, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    os.nice(5)
    _limit_memory(int(sys.argv[2]))
    try:
        serve(sys.stdin.buffer, sys.stdout.buffer, seconds=float(sys.argv[1]))
    except BrokenPipeError:  # nobody is left to be told
        sys.exit(1)


if __name__ == "__main__":
    main()
