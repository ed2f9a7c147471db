"""TTAPI's older endpoint for DALL-E 3 (providers.md 2.3): one model, one image, and an answer in TTAPI's envelope."""

from collections.abc import Iterator
from dataclasses import replace

from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.deadlines import signed_expiry
from orchestrator.jobs.reports import Report
from orchestrator.jobs.spec import JobSpec
from orchestrator.providers.base import Capabilities, Finding, Inputs, Shape
from orchestrator.providers.ttapi_images import TtapiImages
from orchestrator.transport.messages import Answer


class TtapiDallE3(TtapiImages):
    """The adapter `ttapi-dalle3`."""

    id = "ttapi-dalle3"
    path = "/openai/v1/images/generations"
    # The links are signed, and say themselves how long they live: a day in TTAPI's example, not the hour of other links.
    capabilities = Capabilities(shape=Shape.SYNCHRONOUS, inputs=Inputs.NONE, trusts_expiry=True)

    def validate(self, spec: JobSpec, account: AccountSettings) -> Iterator[Finding]:
        """Yield everything that would be refused or is doubtful, before anything is sent."""
        if spec.model not in self.api.models:
            models = ", ".join(self.api.models)
            message = f"model must be {models} ({self.id}); got {spec.model} - endpoint: {TtapiImages.id} takes other models"
            yield Finding(path=("model",), message=message)
            return
        yield from super().validate(spec, account)
        if not (spec.size or "").strip():
            size = self.api.rules(spec.model).size
            yield Finding(
                path=("size",), message=f"size is required ({self.id} {spec.model}); give {size.wanted if size else 'one'}"
            )

    def read_submission(self, answer: Answer) -> Report:
        """Return the image with the moment its link dies, where the link says it; raise `Unreadable` for another shape."""
        report = super().read_submission(answer)
        expiries = [signed_expiry(output.url) for output in report.outputs if output.url]
        known = [moment for moment in expiries if moment is not None]
        return replace(report, expires_at=min(known) if known and len(known) == len(expiries) else None)
