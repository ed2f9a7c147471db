"""Paths under the URL at which this program is reached: for each attempt to be called at, for each image to be fetched."""

from collections.abc import Container
from dataclasses import dataclass
from urllib.parse import urlsplit

from orchestrator.engine.own_images import identity
from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.spec import LocalImage
from orchestrator.jobs.tokens import Mint, hash_of, is_same
from orchestrator.providers.base import Provider, WebhookProvider
from orchestrator.providers.signatures import Signing
from orchestrator.results import extension_of
from orchestrator.store.records import Job


@dataclass(frozen=True, kw_only=True, slots=True)
class CallbackPath:
    """Where one attempt is called back."""

    url: str
    token_hash: str


class CallbackPaths:
    """Gives out paths; none without a public URL. `keyed` are the accounts whose keys for signatures are known."""

    def __init__(self, public_url: str | None = None, mint: Mint | None = None, keyed: Container[str] = ()) -> None:
        self._public_url, self._mint, self._keyed = public_url, mint, keyed

    def are_given(self, provider: Provider, settings: AccountSettings) -> bool:
        """Say whether requests of an account name a URL to be called at.

        An API that signs its calls takes a URL only where a key was set in its console (providers.md 1.6).
        """
        if self._public_url is None or not provider.capabilities.callback or not isinstance(provider, WebhookProvider):
            return False
        return provider.signing is Signing.NONE or settings.name in self._keyed

    def of(self, provider: Provider, settings: AccountSettings, attempt_id: str) -> CallbackPath | None:
        """Return where an attempt is called back, the same whenever it is asked; None where it is not."""
        if self._mint is None or not self.are_given(provider, settings):
            return None
        token = self._mint.callback(attempt_id)
        return CallbackPath(url=f"{self._public_url}/hooks/{provider.id}/{token}", token_hash=hash_of(token))

    def reference(self, job: Job, image: LocalImage) -> str:
        """Return where a job's own image can be fetched as long as the job lasts; raise `ValueError` without a public URL."""
        if self._mint is None:
            raise ValueError(f"the reference {image.path.name} of {job.key} is to be served, and there is no public URL")
        token = self._mint.reference(job.id, identity(image))
        return f"{self._public_url}/references/{job.id}/{token}.{extension_of(image.format)}"


NOT_CALLED = CallbackPaths()
"""Without a public URL."""


def leads_to(url: str, token_hash: str) -> bool:
    """Say whether a URL is the path of the attempt whose token has this hash, whatever host it was given out under."""
    return is_same(hash_of(urlsplit(url).path.rpartition("/")[2]), token_hash)
