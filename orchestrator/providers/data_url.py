"""Images as `data:` URLs, and how long those are."""

import base64

from orchestrator.jobs.spec import LocalImage
from orchestrator.providers.base import FileInput

LONGEST = 20_971_520
"""Characters of a data URL at most (providers.md 5.4, 5.7)."""


def data_url(image: FileInput) -> str:
    """Return an image's bytes as a URL."""
    return f"data:{image.content_type};base64,{base64.b64encode(image.content).decode()}"


def length_of(image: LocalImage) -> int:
    """Return the characters that the URL of a local image will have."""
    return len(f"data:image/{image.format};base64,") + 4 * -(-image.size // 3)
