"""Keys come from the environment, or from private files that the environment names, and from nowhere else."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from orchestrator.batchfile import Problems
from orchestrator.jobs.accounts import SIMULATOR, AccountSettings
from orchestrator.jobs.secrets import Secret

_LONGEST = 10_000
"""Characters of a key file that are read: no key is longer."""


class BadKey(Exception):
    """A key that cannot be used; the text says why and never quotes it."""


def keys_of(accounts: Mapping[str, AccountSettings], problems: Problems) -> dict[str, Secret]:
    """Return the key of each account; every missing or unusable one is one clear line.

    `NAME_FILE` may name a file with the key where the variable `NAME` is not set, as container platforms hand out secrets.
    """
    found: dict[str, Secret] = {}
    for account in accounts.values():
        if account.base_url == SIMULATOR:
            continue
        try:
            found[account.name] = _key(account.api_key_env)
        except BadKey as error:
            problems.add(f"account {account.name}: {error}")
    return found


def _key(variable: str) -> Secret:
    value = os.environ.get(variable, "").strip()
    source = variable
    if not value and (file := os.environ.get(f"{variable}_FILE", "").strip()):
        value, source = _content(Path(file)).strip(), file
    if not value:
        raise BadKey(f"its key is missing; set the environment variable {variable}")
    if not (value.isascii() and value.isprintable() and " " not in value):
        raise BadKey(f"the key in {source} has characters that no key has, such as a blank or a line break; copy it again")
    return Secret(value)


def _content(file: Path) -> str:
    try:
        with os.fdopen(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), encoding="utf-8", errors="replace") as opened:
            found = os.fstat(opened.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise BadKey(f"the key file {file} is no regular file")
            if stat.S_IMODE(found.st_mode) & 0o077:
                raise BadKey(f"the key file {file} can be read by others; make it private with chmod 600")
            return opened.read(_LONGEST)
    except OSError as error:
        raise BadKey(f"the key file {file} cannot be read: {error.strerror}") from error
