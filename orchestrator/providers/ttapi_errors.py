"""What TTAPI's errors mean (providers.md 2): its own envelope or OpenAI's object, with an error status or with 200.

The envelope `{"status": "FAILED", "message", "data": null}` has no code, so what a status does not say is read in the message.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from orchestrator.jobs.failures import ErrorCode, Failure
from orchestrator.jobs.spec import Json
from orchestrator.providers.error_body import error_of, failure, judged, read_error
from orchestrator.providers.openai_errors import ERRORS
from orchestrator.transport.messages import Answer

FAILED = "FAILED"

_MESSAGES: Mapping[re.Pattern[str], ErrorCode] = MappingProxyType(
    {
        re.compile(r"wrong tt-api-key|email is not activated", re.IGNORECASE): ErrorCode.BAD_KEY,
        re.compile(
            r"insufficient (balance|quota|funds)|(balance|quota) (is )?(not enough|insufficient)|余额不足", re.IGNORECASE
        ): ErrorCode.QUOTA,
        re.compile(r"moderation|content[ _]policy|safety system|sensitive|nsfw|violat", re.IGNORECASE): ErrorCode.REFUSED,
    }
)
"""What a message speaks of -> our code. Only the first line is printed by TTAPI."""

_VAGUE = frozenset({ErrorCode.INVALID_REQUEST, ErrorCode.GENERATION_FAILED, ErrorCode.NO_ACCESS})
"""Codes that a message may make more exact; the others come from a status or a code that says enough."""


def read_failure(answer: Answer) -> Failure:
    """Return why an answer outside 2xx came, whatever its shape; never raises.

    Statuses of providers.md 2 keep their ordinary meaning: 402 is an empty balance, 499 an exhausted queue, and after a 500 or
    504 nobody knows.
    """
    body = read_error(answer)
    return failure(answer, body, _sharpened(judged(body, answer.status, ERRORS), body.message))


def embedded_failure(answer: Answer, body: Mapping[str, Json]) -> Failure:
    """Return the failure that a 2xx answer carries, of a request or of a finished job; the message may be empty."""
    found = error_of(body)
    code = next((ERRORS[word] for word in found.words if word in ERRORS), ErrorCode.GENERATION_FAILED)
    if not found.message:
        found = replace(found, message=f"TTAPI says {FAILED} and gives no reason")
    return failure(answer, found, _sharpened(code, found.message))


def is_failed(body: Mapping[str, Json]) -> bool:
    """Whether an object is TTAPI's or OpenAI's way to say no."""
    return bool(body.get("error")) or body.get("status") == FAILED


def _sharpened(code: ErrorCode, message: str) -> ErrorCode:
    if code not in _VAGUE:
        return code
    return next((better for pattern, better in _MESSAGES.items() if pattern.search(message)), code)
