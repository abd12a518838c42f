"""Setup and garbage collection."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import NamedTuple

from codex_server_cli.actions.account import read_models
from codex_server_cli.actions.config_file import write_config
from codex_server_cli.actions.read.read import READER
from codex_server_cli.codex.binary import CodexBinary, find_codex, native_of, probe
from codex_server_cli.codex.client import read_user_agent
from codex_server_cli.codex.login import check_login
from codex_server_cli.core.model.collected import Collected
from codex_server_cli.disk import model_cache
from codex_server_cli.disk.gc import collect
from codex_server_cli.disk.gc.bounds import by_age
from codex_server_cli.disk.gc.stamp import DAY_S
from codex_server_cli.disk.turn import layout
from codex_server_cli.errors import CodexMissingError, CodexServerError, HomeError
from codex_server_cli.settings.config import read_config, read_config_values
from codex_server_cli.settings.places import Settings

_MODELS_TIMEOUT_S = 5.0


class SetupResult(NamedTuple):
    """What `setup` found and did; `login_problem` is None where the login is usable."""

    home: Path
    codex: CodexBinary
    is_newly_pinned: bool
    has_initialised_codex_home: bool
    login_problem: CodexServerError | None
    collected: Collected


def setup(settings: Settings) -> SetupResult:
    """Prepare the home, pin the native codex, initialise a fresh `CODEX_HOME`, collect garbage. Idempotent.

    Raises:
        HomeError: the home cannot be written.
        CodexMissingError: no usable codex.
        BadInputError: `config.json` is broken.
    """
    values = read_config_values(settings.config_path)
    config = read_config(settings.config_path)
    layout.prepare_home(settings.turns_path)
    codex = _usable_pin(config.codex) or find_codex(None, settings.search_path)
    is_newly_pinned = values.get("codex") != str(codex.path)
    if is_newly_pinned:
        write_config(settings, codex=str(codex.path))
    has_initialised = _initialise_codex_home(settings, codex.path)
    _cache_models(settings, codex.path)
    try:
        check_login(settings.codex_home, codex.path, may_bill_api_key=config.may_bill_api_key, is_thorough=True)
        problem = None
    except CodexServerError as error:
        problem = error
    collected = gc(settings)
    return SetupResult(settings.home, codex, is_newly_pinned, has_initialised, problem, collected)


def _cache_models(settings: Settings, codex: Path) -> None:
    """Cache the models for the checks of `--model` and `--effort`; if that fails, those ask Codex themselves."""
    if model_cache.read_models(settings.home, codex) is None:
        with contextlib.suppress(CodexServerError):
            read_models(settings, _MODELS_TIMEOUT_S)


def _usable_pin(pinned: str | None) -> CodexBinary | None:
    """The pinned codex, if it still exists and works: the user may have chosen it."""
    if pinned is None:
        return None
    try:
        return probe(native_of(Path(pinned)))
    except CodexMissingError:
        return None


def _initialise_codex_home(settings: Settings, codex: Path) -> bool:
    """Let one app-server create Codex's databases, because several at once fail (0.163.0; notes, section 12)."""
    if any(settings.codex_home.glob("*.sqlite")):
        return False
    try:
        settings.codex_home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise HomeError(f"cannot make {settings.codex_home}: {error.strerror}") from error
    try:
        read_user_agent(codex, settings.home)
    except CodexMissingError:
        if not any(settings.codex_home.glob("*.sqlite")):  # else a concurrent setup did it
            raise
    return True


def gc(
    settings: Settings,
    older_than_s: float | None = None,
    *,
    keep: int | None = None,
    max_bytes: int | None = None,
    is_dry_run: bool = False,
    includes_named: bool = False,
    includes_worktrees: bool = False,
) -> Collected:
    """Delete ended turns that are beyond one of the bounds: see `disk.gc.bounds.Bounds`.

    Args:
        older_than_s: None means the age in `config.json`, which also has that of named turns.
        includes_worktrees: also delete turns with unapplied changes in a worktree.

    Raises:
        HomeError: the home cannot be written.
    """
    config = read_config(settings.config_path)
    bounds = by_age(config.gc_days * DAY_S if older_than_s is None else older_than_s, config.gc_named_days)
    bounds = bounds._replace(keep=keep, max_bytes=max_bytes, includes_named=includes_named)
    from codex_server_cli.worker.git.unused import Worktrees

    worktrees = Worktrees(settings.home, is_asked=includes_worktrees)
    try:
        collected = collect.collect(settings.home, bounds, READER, is_dry_run=is_dry_run, keeps=worktrees.keeps)
    except OSError as error:
        hint = "See whose it is, and whether it is mounted read-only."
        raise HomeError(f"cannot tidy {settings.turns_path}: {error.strerror}", hint=hint) from error
    if not is_dry_run:
        worktrees.remove_unused()
    return collected
