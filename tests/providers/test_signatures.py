"""Our signatures against the official libraries', in both directions; the clock of those libraries is the machine's."""

import base64
import hashlib
import hmac
import time
from datetime import UTC, datetime

import pytest
from openai import InvalidWebhookSignatureError, OpenAI
from standardwebhooks import Webhook, WebhookVerificationError

from orchestrator.jobs.secrets import Secret
from orchestrator.providers.signatures import WINDOW, Forged, Signing, signed, verified

FIRST, SECOND = (Secret("whsec_" + base64.b64encode(bytes([number]) * 32).decode()) for number in (1, 2))
PLAIN, PLAIN_TWO = Secret("0123456789abcdef0123456789abcdef"), Secret("fedcba9876543210fedcba9876543210")
BODY = '{"id":"evt_1","object":"event","type":"response.completed","created_at":1,"data":{"id":"resp_1"},"ü":"ß"}'.encode()
NOW = 1_700_000_000.0


def official(key: Secret = FIRST, now: float = NOW, body: bytes = BODY) -> dict[str, str]:
    signature = Webhook(key.reveal()).sign("msg_1", datetime.fromtimestamp(now, UTC), body.decode())
    return {"webhook-id": "msg_1", "webhook-timestamp": str(int(now)), "webhook-signature": signature}


def documented(key: Secret = PLAIN, now: float = NOW, body: bytes = BODY, identifier: str = "evt_1") -> dict[str, str]:
    """Sign as ToAPIs documents it (providers.md 1.6)."""
    text = f"{identifier}.{int(now)}.".encode() + body
    digest = hmac.new(key.reveal().encode(), text, hashlib.sha256).hexdigest()
    return {
        "x-toapis-webhook-id": identifier,
        "x-toapis-webhook-timestamp": str(int(now)),
        "x-toapis-webhook-signature": f"v1={digest}",
    }


CALLS = pytest.mark.parametrize(
    ("scheme", "headers", "keys", "identifier", "signature", "divider"),
    [
        (Signing.STANDARD, official, (FIRST, SECOND), "msg_1", "webhook-signature", " "),
        (Signing.TOAPIS, documented, (PLAIN, PLAIN_TWO), "evt_1", "x-toapis-webhook-signature", ","),
    ],
    ids=["standard", "toapis"],
)


@CALLS
def test_an_authentic_call_gives_its_id(scheme, headers, keys, identifier, signature, divider) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001, ARG001
    assert verified(scheme, headers(), BODY, keys[:1], NOW) == identifier


@CALLS
def test_while_a_key_is_replaced_either_one_is_good(scheme, headers, keys, identifier, signature, divider) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    for key in keys:
        assert verified(scheme, headers(key), BODY, keys, NOW) == identifier
    both = headers(keys[0])
    both[signature] = headers(keys[1])[signature] + divider + both[signature]
    assert verified(scheme, both, BODY, keys[:1], NOW) == identifier
    with pytest.raises(Forged):
        verified(scheme, headers(keys[1]), BODY, keys[:1], NOW)


@CALLS
def test_a_call_is_good_for_five_minutes_either_way(scheme, headers, keys, identifier, signature, divider) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001, ARG001
    assert WINDOW == 300
    for shift in (-300, 300):
        assert verified(scheme, headers(), BODY, keys, NOW + shift) == identifier
    for shift in (-301, 301, 10**9, -(10**9)):
        with pytest.raises(Forged, match="too long ago"):
            verified(scheme, headers(), BODY, keys, NOW + shift)


@CALLS
def test_whatever_is_changed_the_call_is_forged(scheme, headers, keys, identifier, signature, divider) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001, ARG001
    right = headers()
    for name in right:
        for value in ("", "x", right[name] + "0", "v1,", "v1=", divider * 3, "9" * 40, "-1", "٣"):
            with pytest.raises(Forged):
                verified(scheme, right | {name: value}, BODY, keys, NOW)
        with pytest.raises(Forged):
            verified(scheme, {kept: right[kept] for kept in right if kept != name}, BODY, keys, NOW)
    for body in (BODY + b" ", BODY[:-1], b"", b"\xff"):
        with pytest.raises(Forged):
            verified(scheme, right, body, keys, NOW)
    with pytest.raises(Forged):
        verified(scheme, right, BODY, (), NOW)


def test_a_signature_of_one_scheme_is_none_of_the_other() -> None:
    headers = official(PLAIN) | documented()
    with pytest.raises(Forged):
        verified(Signing.STANDARD, headers, BODY, (FIRST,), NOW)


def test_both_official_libraries_take_our_signature() -> None:
    ours = signed(Signing.STANDARD, FIRST, "msg_1", BODY, time.time())
    assert Webhook(FIRST.reveal()).verify(BODY, ours)["data"] == {"id": "resp_1"}
    client = OpenAI(api_key="none", webhook_secret=FIRST.reveal())
    assert client.webhooks.unwrap(BODY, ours).type == "response.completed"
    with pytest.raises(InvalidWebhookSignatureError):
        client.webhooks.unwrap(BODY + b" ", ours)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECOND.reveal()).verify(BODY, ours)


def test_a_key_that_is_no_base64_means_its_own_bytes_as_openai_has_it() -> None:
    ours = signed(Signing.STANDARD, PLAIN, "msg_1", BODY, time.time())
    OpenAI(api_key="none", webhook_secret=PLAIN.reveal()).webhooks.verify_signature(BODY, ours)


def test_our_toapis_signature_is_the_documented_one() -> None:
    assert signed(Signing.TOAPIS, PLAIN, "evt_1", BODY, NOW) == documented()
