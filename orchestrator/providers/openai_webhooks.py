"""OpenAI's webhooks (providers.md 5.7): set for a whole project, signed, and naming no more than the id of what has ended."""

from collections.abc import Mapping

from orchestrator.jobs.reports import Report, Status
from orchestrator.providers.signatures import Signing
from orchestrator.transport.messages import Answer, Unreadable, shown

_EVENTS = "response."


class OpenAIWebhooks:
    """What an adapter needs for its responses to be told of."""

    signing = Signing.STANDARD
    endpoint = "openai"

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> Report:
        """Return which response an event is about; how it ended is asked of the API. Raises `Unreadable` for other events."""
        event = Answer(status=200, headers=headers, body=body).object()
        kind, data = event.get("type"), event.get("data")
        identifier = data.get("id") if isinstance(data, Mapping) else None
        if not isinstance(kind, str) or not kind.startswith(_EVENTS) or not isinstance(identifier, str) or not identifier:
            raise Unreadable(f"the event is about no response: {shown(body)}")
        return Report(status=Status.RUNNING, word=kind, remote_id=identifier)
