"""`notify`: whom to tell when a batch ends, pauses or has uncertain jobs."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, model_validator


class NotifyFields(BaseModel):
    """`notify` as it may be written: an address, a command as a list of words, or a table with both."""

    model_config = ConfigDict(extra="forbid")
    url: str | None = None
    command: list[str] | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_one(cls, given: Any) -> Any:  # noqa: ANN401 - whatever the file holds
        if isinstance(given, str):
            return {"url": given}
        return {"command": given} if isinstance(given, list) else given

    @model_validator(mode="after")
    def _check(self) -> "NotifyFields":
        if self.url is None and not self.command:
            raise ValueError("say a url, a command, or both")
        if self.url is not None and (urlsplit(self.url).scheme not in ("http", "https") or "@" in urlsplit(self.url).netloc):
            raise ValueError("url must be like https://notices.example.com/orchestrator")
        return self


@dataclass(frozen=True, kw_only=True, slots=True)
class Notify:
    """Whom to tell."""

    url: str | None = field(default=None, repr=False)
    command: tuple[str, ...] = ()


def notify_of(fields: NotifyFields | None) -> Notify | None:
    """Return the checked fields as data."""
    return None if fields is None else Notify(url=fields.url, command=tuple(fields.command or ()))
