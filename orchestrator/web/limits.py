"""How much a stranger may take of this machine (reliability.md d.1)."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Sizes in bytes, times in seconds."""

    body: int = 64 * 1024
    """A call has less than 20 KB; it is refused by its declared length, before it is read."""
    header_field: int = 4096
    connections: int = 256
    until_request: float = 15.0
    """From a connection, or the last answer on it, to the whole head of a request."""
    until_body: float = 5.0
    until_stored: float = 5.0
    """For the store to take a call; beyond that the caller is asked to come back."""
    until_sent: float = 300.0
    """For a reference image to be taken."""
    unknown_per_source: float = 20.0
    """Calls a second with unknown tokens or wrong signatures that one address gets a true answer to."""
    unknown_in_all: float = 500.0
