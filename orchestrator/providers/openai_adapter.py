"""What OpenAI's two image endpoints share: their answers, their errors, streaming."""

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.failures import Failure
from orchestrator.jobs.reports import Report
from orchestrator.jobs.spec import JobSpec
from orchestrator.providers import openai_errors, openai_streaming
from orchestrator.providers.adapter import CatalogAdapter
from orchestrator.providers.base import Estimate, Finding, Preview
from orchestrator.providers.openai_fields import BASE_URL, KEY_VARIABLE, RESERVED, output_findings
from orchestrator.providers.task_answers import FollowsTasks, path_findings, read_images_or_task
from orchestrator.transport.messages import Answer


class OpenAIAdapter(FollowsTasks, CatalogAdapter):
    """Base of an adapter whose answers are OpenAI's."""

    default_base_url = BASE_URL
    default_key_variable = KEY_VARIABLE
    reserved: ClassVar[Mapping[str, str]] = RESERVED

    def validate(self, spec: JobSpec, account: AccountSettings) -> Iterator[Finding]:
        """Yield everything that would be refused or is doubtful, before anything is sent."""
        yield from super().validate(spec, account)
        yield from output_findings(spec, account)
        yield from path_findings(account)
        yield from openai_streaming.streaming_findings(spec, account)

    def read_submission(self, answer: Answer) -> Report:
        """Return the images, why there are none, or a task instead; raise `Unreadable` for another shape."""
        return read_images_or_task(answer)

    def read_failure(self, answer: Answer) -> Failure:
        """Return why an answer outside 2xx came, whatever its shape; never raises."""
        return openai_errors.read_failure(answer, self._catalog)

    def previews(self, body: bytes) -> Sequence[Preview]:
        """Return the partial images in what has come of an answer so far."""
        return openai_streaming.previews(body)

    def estimate(self, spec: JobSpec, account: AccountSettings) -> Estimate:
        """Return what a job should and could cost, partial images included."""
        return openai_streaming.with_previews(super().estimate(spec, account), self._price(spec, account), spec, account)
