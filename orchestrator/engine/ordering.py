"""The paid request of one attempt: built the same, byte for byte, whenever it is built for the same attempt."""

from dataclasses import replace
from hashlib import sha256

from orchestrator.engine.callback_paths import CallbackPath
from orchestrator.engine.inputs import Prepared
from orchestrator.jobs.accounts import AccountSettings
from orchestrator.providers.base import Order, Provider
from orchestrator.transport.messages import Request


def request_of(
    provider: Provider, settings: AccountSettings, attempt_id: str, prepared: Prepared, path: CallbackPath | None
) -> Request:
    """Return the request, with the attempt's id as its idempotency key where the account has a header for one."""
    order = Order(
        spec=prepared.spec,
        account=settings,
        attempt_id=attempt_id,
        references=prepared.references,
        mask=prepared.mask,
        previous=prepared.previous,
        callback_url=path.url if path else None,
    )
    request = provider.submission(order)
    if settings.idempotency_header is None:
        return request
    headers = {**request.headers, settings.idempotency_header: attempt_id}
    return replace(request, headers=headers, boundary=f"part-{attempt_id}")


def digest_of(request: Request) -> str:
    """Return the SHA-256 of what the request says, to recognise the same request later."""
    digest = sha256(request.json or b"")
    for part in request.form or ():
        digest.update(part.name.encode() + b"\0" + part.content)
    return digest.hexdigest()
