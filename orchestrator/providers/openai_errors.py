"""What OpenAI's errors mean (providers.md 5.1), also at relays that imitate them."""

import re
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from orchestrator.jobs.failures import ErrorCode, Failure
from orchestrator.jobs.spec import Json
from orchestrator.providers.catalog import Catalog
from orchestrator.providers.error_body import error_of, failure, judged, read_error
from orchestrator.transport.messages import Answer

ERRORS: Mapping[str, ErrorCode] = MappingProxyType(
    {
        "moderation_blocked": ErrorCode.REFUSED,
        "content_policy_violation": ErrorCode.REFUSED,
        "image_content_policy_violation": ErrorCode.REFUSED,
        "image_generation_user_error": ErrorCode.REFUSED,
        "insufficient_quota": ErrorCode.QUOTA,
        "credit_balance_exhausted": ErrorCode.QUOTA,
        "organization_spend_limit_exceeded": ErrorCode.QUOTA,
        "project_spend_limit_exceeded": ErrorCode.QUOTA,
        "organization_usage_limit_exceeded": ErrorCode.QUOTA,
        "billing_hard_limit_reached": ErrorCode.QUOTA,
        "invalid_api_key": ErrorCode.BAD_KEY,
        # These two say no to every job alike, so they stop the account as a bad key does.
        "account_deactivated": ErrorCode.BAD_KEY,
        "unsupported_country_region_territory": ErrorCode.BAD_KEY,
        # The address is right and the model's name is not: no first contact with a wrong base_url.
        "model_not_found": ErrorCode.INVALID_REQUEST,
        "image_file_not_found": ErrorCode.INVALID_REQUEST,
        "previous_response_not_found": ErrorCode.INVALID_REQUEST,
        "rate_limit_exceeded": ErrorCode.THROTTLED,
        "slow_down": ErrorCode.THROTTLED,
        "server_error": ErrorCode.SERVER_ERROR,
        "server_is_overloaded": ErrorCode.UNAVAILABLE,
    }
)
"""Error code or type -> our code. `invalid_request_error` is missing on purpose: its status says more."""

FORGOTTEN: Mapping[str, ErrorCode] = MappingProxyType(
    {
        "image_file_not_found": ErrorCode.UPLOAD_FORGOTTEN,
        "previous_response_not_found": ErrorCode.CONVERSATION_FORGOTTEN,
    }
)
"""Error code -> what of ours is no longer there."""

_NO_FILE = re.compile(r"no such file object", re.IGNORECASE)


def read_failure(answer: Answer, catalog: Catalog) -> Failure:
    """Return why an answer outside 2xx came, whatever its shape; never raises."""
    body = read_error(answer)
    if body.code is None and _NO_FILE.search(body.message):
        body = replace(body, code="image_file_not_found")
    hint = None
    if "model_not_found" in body.words and (found := catalog.successor(body.message)):
        hint = f"{found[0]} is retired; use {found[1]}"
    return failure(answer, body, judged(body, answer.status, ERRORS), hint=hint)


def embedded_failure(answer: Answer, body: Mapping[str, Json]) -> Failure:
    """Return the failure that a 2xx answer carries instead of images."""
    found = error_of(body)
    code = next((ERRORS[word] for word in found.words if word in ERRORS), ErrorCode.GENERATION_FAILED)
    return failure(answer, found, code)
