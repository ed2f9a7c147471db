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


def webhook_keys_of(accounts: Mapping[str, AccountSettings], problems: Problems) -> dict[str, tuple[Secret, ...]]:
    """Return the keys that calls of each account are signed with: none, one, or two while one replaces the other.

    Their variables are named after the account's own: beside `OPENAI_API_KEY` stand `OPENAI_WEBHOOK_SECRET` and, for the key that
    is going, `OPENAI_WEBHOOK_SECRET_OLD`.
    """
    found: dict[str, tuple[Secret, ...]] = {}
    for account in accounts.values():
        try:
            variable = webhook_variable(account)
            found[account.name] = tuple([_key(name) for name in (variable, f"{variable}_OLD") if is_set(name)])
        except BadKey as error:
            problems.add(f"account {account.name}: {error}")
    return {name: keys for name, keys in found.items() if keys}


def webhook_variable(account: AccountSettings) -> str:
    """Return the name of the variable with the key for an account's calls."""
    return account.api_key_env.removesuffix("_KEY").removesuffix("_API") + "_WEBHOOK_SECRET"


def is_set(variable: str) -> bool:
    """Say whether a variable, or the file it may name, is there at all."""
    return bool(os.environ.get(variable, "").strip() or os.environ.get(f"{variable}_FILE", "").strip())


def secret_in(variable: str, problems: Problems) -> Secret | None:
    """Return a secret of the program itself; None where it is not set."""
    if not is_set(variable):
        return None
    try:
        return _key(variable)
    except BadKey as error:
        problems.add(str(error))
        return None


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
