"""How this program is reached from outside: the public URL, where it listens, and the key that its paths are made with."""

import os
import secrets
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from orchestrator.app.setup import CannotStart, Setup
from orchestrator.batchfile import Problems
from orchestrator.config import webhook_keys_of
from orchestrator.engine.callback_paths import NOT_CALLED, CallbackPaths
from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.places import Severity
from orchestrator.jobs.secrets import Secret
from orchestrator.jobs.tokens import KEY_BYTES, Mint
from orchestrator.providers.base import Inputs

DEFAULT_LISTEN = "127.0.0.1:8765"
NOWHERE = "none"
"""What `--listen` says where another process receives the calls, such as `serve --no-work`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Listen:
    """An address of this machine."""

    host: str
    port: int


class Outside:
    """What the options of one call say about it, checked; what is wrong with them is among the problems of `setup`."""

    def __init__(self, setup: Setup) -> None:
        self._setup, options = setup, setup.options
        self.public_url = public_url(options.public_url, setup.problems)
        self.serves = options.public_url is not None or options.listen is not None
        """Whether anything is to be served."""
        self.listen = listen(options.listen, setup.problems) if self.serves else None

    @cached_property
    def mint(self) -> Mint:
        """What makes the tokens of this store; raises `CannotStart`."""
        return mint_of(self._setup.database.with_name(f"{self._setup.database.stem}.callback-key"))

    def keys(self, accounts: Iterable[AccountSettings]) -> dict[str, tuple[Secret, ...]]:
        """Return the keys that the calls of these accounts are signed with."""
        return webhook_keys_of({account.name: account for account in accounts}, self._setup.problems)

    def paths(self, accounts: Iterable[AccountSettings]) -> CallbackPaths:
        """Return the paths that are given out: none without a public URL; raise `BadInput` where one is needed."""
        if self.public_url is not None:
            return CallbackPaths(self.public_url, self.mint, self.keys(accounts))
        for account in accounts:
            if account.options.get("references") == Inputs.SERVED:
                self._setup.problems.add(f"account {account.name} lets its references be served; say where: --public-url")
        self._setup.problems.raise_if_any()
        return NOT_CALLED


def public_url(text: str | None, problems: Problems) -> str | None:
    """Return the URL under which APIs reach this program, without a slash at its end; what is wrong with it is a problem."""
    if text is None:
        return None
    url, wrong = text.rstrip("/"), f"--public-url must be like https://hooks.example.com; got {text}"
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        problems.add(wrong)
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
        problems.add(wrong)
        return None
    if parts.scheme == "http" and not _is_near(parts.hostname):
        message = "--public-url is not https: whoever is on the way reads the paths of the calls; put TLS in front"
        problems.add(message, severity=Severity.WARNING)
    return url


def listen(text: str | None, problems: Problems) -> Listen | None:
    """Return where to listen; None for `none`, and where it is wrong, which is a problem."""
    text = text or DEFAULT_LISTEN
    if text == NOWHERE:
        return None
    host, _, port = text.rpartition(":")
    if not host or not (port.isascii() and port.isdecimal() and int(port) < 2**16):
        problems.add(f"--listen must be like {DEFAULT_LISTEN}, or {NOWHERE}; got {text}")
        return None
    host = host.removeprefix("[").removesuffix("]")
    if not _is_near(host):
        message = f"--listen {text} is open to other machines, and no TLS is spoken here: let a proxy with TLS stand in front"
        problems.add(message, severity=Severity.WARNING)
    return Listen(host=host, port=int(port))


def _is_near(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def mint_of(file: Path) -> Mint:
    """Return what makes the tokens of a store, with the private key in `file`, which is made if it is not there."""
    try:
        return Mint(_made(file) or _kept(file))
    except ValueError as error:
        raise CannotStart(f"{file} is no key of ours ({error}); move it away, and another one is made") from error
    except OSError as error:
        raise CannotStart(f"the key in {file} cannot be used: {error.strerror}") from error


def _made(file: Path) -> bytes | None:
    """Write a new key and return it; None where there is one already."""
    key, draft = secrets.token_bytes(KEY_BYTES), file.with_name(f"{file.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as opened:
            opened.write(key)
            opened.flush()
            os.fsync(opened.fileno())
        os.link(draft, file)  # whole or not at all, and never over a key that another process has just made
    except FileExistsError:
        return None
    finally:
        draft.unlink(missing_ok=True)
    return key


def _kept(file: Path) -> bytes:
    with os.fdopen(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as opened:
        found = os.fstat(opened.fileno())
        if not stat.S_ISREG(found.st_mode) or stat.S_IMODE(found.st_mode) & 0o077:
            raise ValueError("it is no regular file, or others may read it")
        return opened.read(KEY_BYTES + 1)
