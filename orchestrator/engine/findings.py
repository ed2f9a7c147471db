"""What an audit can find. Every finding names its batch, and the job and file it is about where there are such."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """The closed list behind `kind` in the output of `verify`."""

    MISSING_FILE = "missing_file"
    """A saved image has no file."""
    CHANGED_FILE = "changed_file"
    """A file's bytes are not those that were saved."""
    FOREIGN_FILE = "foreign_file"
    """A file belongs to no job."""
    UNRECORDED_FILE = "unrecorded_file"
    """A run died between giving a file its name and writing that down."""
    PART_FILE = "part_file"
    """A run died while it wrote this file."""
    UNCLAIMED_FOLDER = "unclaimed_folder"
    """The folder does not say any more which store it belongs to."""
    EDITED_ROW = "edited_row"
    """Rows of the store contradict each other, or what was read from the batch file."""
    DELETED_ROW = "deleted_row"
    """A row that must be in the store is not."""
    UNSETTLED_CHARGE = "unsettled_charge"
    """An attempt that may cost money has neither a result nor a refusal, and is not held as uncertain."""
    DAMAGED_STORE = "damaged_store"
    """SQLite finds its own file damaged."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that is not as it must be."""

    kind: Kind
    message: str
    """What was found and what would be right."""
    batch: str | None = None
    key: str | None = None
    file: str | None = None
    """Relative to the output folder."""
    image: "ImageName | None" = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageName:
    """Which image a finding is about, for a repair."""

    job_id: int
    attempt_id: str
    index: int
