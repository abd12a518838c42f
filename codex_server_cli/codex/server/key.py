"""What distinguishes one shared app-server from another, and an outdated one from a current one.

An app-server never changes what it was started with: home, binary, proxies, keys. Callers that differ in these get
separate servers: `ServerKey`. Login and the binary's content may change under a running server, which does not notice
(transport notes, section 7): so `login_of` and `binary_stamp` are compared before each turn.
Values of the environment are only ever part of a hash. Must import next to nothing: every start of a turn reads it.
"""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from typing import NamedTuple

from codex_server_cli.settings.environment import server_variables

_NAMES_OF_VARIABLES = (
    rb"""(?:env_key|bearer_token_env_var)["']?\s*=\s*["']([^"'\n]+)["']|env_http_headers["']?\s*=\s*(\{[^}]*\})"""
)
"""Where Codex's configuration names an environment variable. A false match is harmless: it only separates servers."""
_IN_EACH_NAME = b"env_"
_QUOTED = rb"""["']([^"'\n]+)["']"""
_MOST_CONFIG_BYTES = 1 << 20
_READS, _READ_PAUSE_S = 3, 0.01


class ServerKey(NamedTuple):
    """The fixed parameters of a shared app-server.

    Attributes:
        codex_home: its real path.
        codex: the real path of the binary.
        may_bill_api_key: `auth` of config.json: whether keys stay in its environment.
        variables: a hash of the variables that the app-server itself reads.
        extra: further arguments that make it a separate server, such as `--listen`.
    """

    codex_home: str
    codex: str
    may_bill_api_key: bool
    variables: str
    extra: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """A short hexadecimal name, also of its directory."""
        return digest(repr(tuple(self)))


def make_key(codex_home: Path, codex: Path, *, may_bill_api_key: bool, extra: tuple[str, ...] = ()) -> ServerKey:
    """The key for this environment.

    Args:
        codex_home: Codex's home, as the environment names it.
        codex: the native binary.
        may_bill_api_key: whether the keys of the environment are passed on.
        extra: further arguments of the app-server.
    """
    home = os.path.realpath(codex_home)
    names = _variables_named_in(f"{home}/config.toml")
    variables = digest(repr(server_variables(names, may_bill_api_key=may_bill_api_key)))
    return ServerKey(home, os.path.realpath(codex), may_bill_api_key, variables, extra)


def _variables_named_in(path: str) -> set[str]:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 — read at the start of each turn
            config = file.read(_MOST_CONFIG_BYTES)
    except OSError:  # none, or Codex reports it
        return set()
    if _IN_EACH_NAME not in config:  # most have none, and compiling the expressions takes 0.5 ms
        return set()
    found = re.findall(_NAMES_OF_VARIABLES, config)
    names = {name for name, _ in found if name} | {
        name for _, headers in found for name in re.findall(_QUOTED, headers)
    }
    return {name.decode("utf-8", "replace") for name in names}


def login_of(codex_home: str) -> str:
    """A hash that identifies the login in `auth.json`: mode, account, key; `none` where it has no login.

    Not of the file's content or time: Codex rewrites it whenever it renews its token.
    """
    for _ in range(_READS):
        try:
            with open(f"{codex_home}/auth.json", "rb") as file:  # noqa: PTH123
                found = json.loads(file.read())
            tokens = found.get("tokens") or {}
            facts = (found.get("auth_mode"), found.get("OPENAI_API_KEY"), tokens.get("account_id"))
        except ValueError:  # Codex is writing it, without an atomic rename
            time.sleep(_READ_PAUSE_S)
        except (OSError, AttributeError):  # missing, or of another format: the login check reports that
            return "none"
        else:
            return "none" if facts == (None, None, None) else digest(repr(facts))
    return "none"


def binary_stamp(codex: str) -> str:
    """A text that changes with the content of the binary; empty where there is none."""
    try:
        found = os.stat(codex)  # noqa: PTH116
    except OSError:
        return ""
    return f"{found.st_ino}-{found.st_size}-{found.st_mtime_ns}"


def digest(text: str) -> str:
    """Sixteen hexadecimal digits."""
    from _blake2 import blake2b  # hashlib loads OpenSSL as well: 3 ms and 1.4 MB

    return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()
