"""Whether a call comes from whom it says: the signatures of webhooks, over the raw bytes, before anything is parsed.

Standard Webhooks (OpenAI and others): base64 HMAC-SHA256 over `id.timestamp.body`, several signatures parted by blanks
(providers.md 5.7). ToAPIs: the same text, in hex, under headers of its own (providers.md 1.6). A second key is good while the
first is being replaced.
"""

import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from orchestrator.jobs.secrets import Secret

if TYPE_CHECKING:
    from standardwebhooks import Webhook

WINDOW = 300.0
"""Seconds by which the time of a call may differ from ours, either way."""
_PREFIX = "whsec_"


class Signing(StrEnum):
    """How an API signs its calls."""

    NONE = "none"
    """Not at all: only the path of the attempt shows who calls."""
    STANDARD = "standard"
    TOAPIS = "toapis"


class Forged(Exception):
    """A call that is not signed with our key, or not now."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Form:
    """Where a scheme has its parts, and how it signs."""

    id: str
    timestamp: str
    signature: str
    divider: str
    mark: str
    """What stands before each signature."""
    sign: Callable[[Secret, str, int, str], str]
    """Key, id, Unix seconds and body to one signature with its mark."""


def _sign_standard(key: Secret, identifier: str, seconds: int, body: str) -> str:
    return standard_webhook(key).sign(identifier, datetime.fromtimestamp(seconds, UTC), body)


def _sign_toapis(key: Secret, identifier: str, seconds: int, body: str) -> str:
    text = f"{identifier}.{seconds}.{body}"
    return "v1=" + hmac.new(key.reveal().encode(), text.encode(), "sha256").hexdigest()


_FORMS: Mapping[Signing, _Form] = MappingProxyType(
    {
        Signing.STANDARD: _Form(
            id="webhook-id",
            timestamp="webhook-timestamp",
            signature="webhook-signature",
            divider=" ",
            mark="v1,",
            sign=_sign_standard,
        ),
        Signing.TOAPIS: _Form(
            id="x-toapis-webhook-id",
            timestamp="x-toapis-webhook-timestamp",
            signature="x-toapis-webhook-signature",
            divider=",",
            mark="v1=",
            sign=_sign_toapis,
        ),
    }
)


def standard_webhook(key: Secret) -> "Webhook":
    """Return the library's signer for a key: `whsec_` and base64, or as it is; raise `ValueError` for one that is neither."""
    from standardwebhooks import Webhook  # noqa: PLC0415 - every command would load it, and few need it

    value = key.reveal()
    return Webhook(value if value.startswith(_PREFIX) else value.encode())


def verified(scheme: Signing, headers: Mapping[str, str], body: bytes, keys: Sequence[Secret], now: float) -> str:
    """Return the id of a call whose signature is right (`headers` with lower-case names); raise `Forged`."""
    form = _FORMS[scheme]
    identifier, seconds = headers.get(form.id, ""), _seconds(headers.get(form.timestamp, ""))
    if not identifier or seconds is None:
        raise Forged("the call is not signed")
    if abs(now - seconds) > WINDOW:
        raise Forged("the call was signed too long ago, or for a time to come")
    given = [signature.strip() for signature in headers.get(form.signature, "").split(form.divider)]
    given = [signature for signature in given if signature.startswith(form.mark)]
    expected = [form.sign(key, identifier, seconds, _text(body)) for key in keys]
    matches = [hmac.compare_digest(one.encode(), other.encode()) for one in expected for other in given]
    if not any(matches):
        raise Forged("no signature of the call is ours")
    return identifier


def signed(scheme: Signing, key: Secret, identifier: str, body: bytes, now: float) -> dict[str, str]:
    """Return the headers that show a message to be ours."""
    form, seconds = _FORMS[scheme], int(now)
    signature = form.sign(key, identifier, seconds, _text(body))
    return {form.id: identifier, form.timestamp: str(seconds), form.signature: signature}


def _seconds(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 12 else None  # noqa: PLR2004 - until the year 33658


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise Forged("the call is not UTF-8") from error
