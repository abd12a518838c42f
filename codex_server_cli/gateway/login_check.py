"""Who pays for a client's request: the same rule as for every turn, no API key unless `config.json` allows it.

Owns how often the login is checked.
"""

from __future__ import annotations

import asyncio
import time

from anyio import to_thread

from codex_server_cli.codex.binary import find_codex
from codex_server_cli.codex.login import ThreadTerms, check_login
from codex_server_cli.errors import CodexServerError
from codex_server_cli.settings.config import read_config
from codex_server_cli.settings.places import Settings

_FRESH_S = 5.0


class LoginCheck:
    """See the module docstring.

    Args:
        settings: of the gateway.
        cwd: the default working directory of its threads.
    """

    def __init__(self, settings: Settings, cwd: str) -> None:
        self._settings, self._cwd = settings, cwd
        self._looked_at = float("-inf")
        self._refusal: CodexServerError | None = None
        self._may_bill = False
        self._lock = asyncio.Lock()

    async def check(self) -> bool:
        """Check that a turn may start.

        Returns:
            Whether it may bill an API key, because `config.json` allows it.

        Raises:
            CodexServerError: there is no login, or one that would bill an API key.
        """
        async with self._lock:
            if time.monotonic() - self._looked_at > _FRESH_S:
                self._refusal = await to_thread.run_sync(self._look)
                self._looked_at = time.monotonic()
        if self._refusal is not None:
            raise self._refusal.with_traceback(None)
        return self._may_bill

    def _look(self) -> CodexServerError | None:
        try:
            config = read_config(self._settings.config_path)
            codex = find_codex(config.codex, self._settings.search_path).path
            self._may_bill = config.may_bill_api_key
            check_login(self._settings.codex_home, codex, ThreadTerms(self._cwd), may_bill_api_key=self._may_bill)
        except CodexServerError as error:
            return error
        return None
