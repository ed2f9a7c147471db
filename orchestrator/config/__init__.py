"""Settings from `orchestrator.toml`, the batch file, the environment and flags: checked whole, all problems at once.

Precedence: flag > environment > batch file > orchestrator.toml > catalog. A batch file is not trusted with keys: what it says
may not send a key anywhere but where it belongs.
"""

from orchestrator.config.accounts import Accounts, Overrides
from orchestrator.config.file import FileSettings, read_settings
from orchestrator.config.keys import keys_of, secret_in, webhook_keys_of
from orchestrator.config.notify import Notify

__all__ = ["Accounts", "FileSettings", "Notify", "Overrides", "keys_of", "read_settings", "secret_in", "webhook_keys_of"]
