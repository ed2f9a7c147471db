"""An error answer of any shape - OpenAI's object, TTAPI's envelope, HTML, plain text, nothing - as code, type and message."""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from orchestrator.jobs.failures import ErrorCode, Failure, row_of
from orchestrator.jobs.spec import Json
from orchestrator.transport.messages import Answer, Unreadable

WRONG_ENDPOINT_HINT = "an image model was sent to a chat endpoint; check base_url and endpoint"

_MONEY_STATUSES = frozenset({402, 403, 429})
_MONEY = re.compile(r"balance|quota|credits?\b|insufficient funds", re.IGNORECASE)
_PACE = re.compile(r"per (sec|min|hour|day)|concurren|\b[rti]pm\b", re.IGNORECASE)
_WRONG_ENDPOINT = re.compile(r"invalid apitype:\s*-1")
_AGAIN_IN = re.compile(r"(?:try again|resets?) in ~?\s*((?:\d{1,9}(?:\.\d{1,6})?\s*(?:ms|[hms])[a-z]*\s*)+)", re.IGNORECASE)
_STEP = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|[hms])", re.IGNORECASE)
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_LOOKED_AT = 4096
_LONGEST = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class ErrorBody:
    """What an error answer says."""

    code: str | None = None
    """The provider's code as text: some pages show integers (providers.md 1.5)."""
    kind: str | None = None
    """The provider's `type`."""
    message: str = ""

    @property
    def words(self) -> tuple[str, ...]:
        """Code and type, the more exact one first."""
        return tuple(word for word in (self.code, self.kind) if word)

    @property
    def name(self) -> str | None:
        """The word that says most: a number is often the HTTP status once more."""
        return next((word for word in self.words if not word.isdigit()), self.code)


def read_error(answer: Answer) -> ErrorBody:
    """Return what an answer says of its failure; never raises."""
    try:
        found = error_of(answer.json())
    except Unreadable:
        found = ErrorBody(message=_plain(answer.body[:_LOOKED_AT].decode("utf-8", "replace")))
    return found if found.message else replace(found, message=f"HTTP {answer.status} without a message")


def error_of(value: Json) -> ErrorBody:
    """Return what a JSON value says of a failure."""
    if isinstance(value, Mapping) and isinstance(value.get("error"), Mapping):
        value = value["error"]
    if not isinstance(value, Mapping):
        return ErrorBody(message=_plain(value) if isinstance(value, str) else "")
    said = next((value[name] for name in ("message", "fail_reason", "error", "detail", "msg") if value.get(name)), "")
    return ErrorBody(code=_word(value.get("code")), kind=_word(value.get("type")), message=_plain(str(said)))


def judged(body: ErrorBody, status: int, table: Mapping[str, ErrorCode]) -> ErrorCode:
    """Return our code: what the table says of the provider's words, else what the HTTP status says.

    A word outside the table says no more than its status, so `invalid_request_error` with 401 is still a bad key.
    """
    if _WRONG_ENDPOINT.search(body.message):
        return ErrorCode.WRONG_ENDPOINT
    found = next((table[word] for word in body.words if word in table), None)
    if status in _MONEY_STATUSES and found in (None, ErrorCode.THROTTLED, ErrorCode.NO_ACCESS) and _speaks_of_money(body):
        return ErrorCode.QUOTA
    return found or row_of(status).code


def failure(answer: Answer, body: ErrorBody, code: ErrorCode, *, hint: str | None = None) -> Failure:
    """Return a failure in our words and in the provider's."""
    hint = WRONG_ENDPOINT_HINT if code is ErrorCode.WRONG_ENDPOINT else hint
    return Failure(
        code=code,
        message=f"{body.message} - {hint}" if hint else body.message,
        http_status=answer.status,
        provider_code=body.name,
        request_id=request_id(answer),
        retry_after=again_in(body.message),
    )


def request_id(answer: Answer) -> str | None:
    """Return the provider's own name of this exchange, if a header gives one."""
    return answer.headers.get("x-request-id")


def again_in(message: str) -> float | None:
    """Return the seconds that a text such as "Please try again in 6m0.5s" asks us to wait."""
    match = _AGAIN_IN.search(message)
    if match is None:
        return None
    return sum(float(number) * _UNITS[unit.lower()] for number, unit in _STEP.findall(match[1]))


def _speaks_of_money(body: ErrorBody) -> bool:
    text = " ".join((*body.words, body.message))
    return bool(_MONEY.search(text)) and not _PACE.search(body.message)


def _plain(text: str) -> str:
    text = text[:_LOOKED_AT].strip()
    if text.startswith("<"):
        title = re.search(r"<title[^<>]*>([^<]*)", text, re.IGNORECASE)
        text = html.unescape(title[1] if title else re.sub(r"<[^<>]*>", " ", text))
    plain = "".join(character for character in " ".join(text.split()) if character.isprintable())
    return plain if len(plain) <= _LONGEST else f"{plain[:_LONGEST]}..."


def _word(value: Json) -> str | None:
    if isinstance(value, str):
        return value[:_LONGEST] or None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None
