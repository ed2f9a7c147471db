"""OpenAI's file endpoint (providers.md 5.6): references and masks uploaded once and named by their id afterwards."""

import re

from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.spec import Json
from orchestrator.providers.base import FileInput, Input, UrlInput
from orchestrator.providers.data_url import data_url
from orchestrator.providers.fields import text_part
from orchestrator.providers.openai_errors import FORGOTTEN
from orchestrator.transport.messages import Answer, Part, Request, Unreadable, joined, shown

PATH = "/v1/files"
REFERENCES = ("data_url", "file_id")
"""Values of the account option `references`: how local images reach the API; the first is the default."""

_ADDRESS = re.compile(r"(https?|data):", re.IGNORECASE)


class OpenAIFiles:
    """The upload side of an adapter whose requests may name files by id."""

    forgotten = FORGOTTEN

    def upload_request(self, file: FileInput, account: AccountSettings) -> Request:
        """Return the free request that uploads one reference or mask."""
        content = Part(name="file", content=file.content, filename=file.filename, content_type=file.content_type)
        return Request(method="POST", url=joined(account, PATH), form=(text_part("purpose", "vision"), content))

    def read_upload(self, answer: Answer) -> str:
        """Return the id of an uploaded file; raise `Unreadable` when the answer gives none."""
        found = answer.object().get("id")
        if not isinstance(found, str) or not found:
            raise Unreadable(f"the answer to an upload holds no file id: {shown(answer.body)}")
        return found


def by_file_id(account: AccountSettings) -> bool:
    """Whether an account's local images are uploaded first."""
    return bool(account.options.get("references") == "file_id")


def address(image: Input) -> dict[str, Json]:
    """Return an image as the JSON forms want it: exactly one of `image_url` and `file_id`."""
    if isinstance(image, UrlInput):
        return {"image_url": image.url} if _ADDRESS.match(image.url) else {"file_id": image.url}
    return {"image_url": data_url(image)}
