"""How a worker answers, at both ends of its pipe: plain JSON, since the one who asks must not have to trust who decodes."""

import errno
import traceback
from typing import Any

from orchestrator.decoding.facts import NotAnImage, UnsafeImage

Reply = dict[str, Any]


def done(result: Reply) -> Reply:
    """Return the answer to a task that succeeded."""
    return {"done": result}


def failed(error: Exception) -> Reply:
    """Return the answer to a task that raised; a bug of ours travels as its traceback, to be raised where somebody looks."""
    if isinstance(error, NotAnImage | UnsafeImage):
        return {"refused": type(error).__name__, "message": str(error)}
    if isinstance(error, OSError):
        return {"errno": error.errno, "message": error.strerror or str(error), "file": error.filename}
    return {"fault": "".join(traceback.format_exception(error))}


def result_of(answer: Reply) -> Reply:
    """Return what a task returned, or raise what it raised: `NotAnImage`, `UnsafeImage`, `OSError`, else `RuntimeError`."""
    match answer:
        case {"done": dict(result)}:
            return result
        case {"refused": "NotAnImage", "message": str(message)}:
            raise NotAnImage(message)
        case {"refused": "UnsafeImage", "message": str(message)}:
            raise UnsafeImage(message)
        case {"errno": code, "message": str(message), "file": file}:
            raise OSError(code or errno.EIO, message, file)
        case _:
            raise RuntimeError(f"the decode worker failed: {answer.get('fault', answer)}")
