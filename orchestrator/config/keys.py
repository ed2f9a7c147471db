"""Keys come from the environment, and from nowhere else."""

import os
from collections.abc import Mapping

from orchestrator.batchfile import Problems
from orchestrator.jobs.accounts import SIMULATOR, AccountSettings
from orchestrator.jobs.secrets import Secret


def keys_of(accounts: Mapping[str, AccountSettings], problems: Problems) -> dict[str, Secret]:
    """Return the key of each account from the environment; every missing one is one clear line."""
    found: dict[str, Secret] = {}
    for account in accounts.values():
        if account.base_url == SIMULATOR:
            continue
        value = os.environ.get(account.api_key_env, "").strip()
        if value:
            found[account.name] = Secret(value)
        else:
            problems.add(f"account {account.name}: its key is missing; set the environment variable {account.api_key_env}")
    return found
