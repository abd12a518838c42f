"""Does Codex list the model, and does the model have the effort? Owns the answer before a turn exists.

What cannot be looked up is not checked: Codex tells it itself, later. Must never be imported where neither flag was
given: looking up takes an app-server, once for each codex.
"""

from __future__ import annotations

from pathlib import Path

from codex_server_cli.core.account import Model
from codex_server_cli.disk import model_cache
from codex_server_cli.errors import BadInputError, CodexServerError
from codex_server_cli.settings.places import Settings


def check_model(
    settings: Settings, codex: Path, *, model: str | None, effort: str | None, is_new_thread: bool
) -> tuple[str, ...]:
    """See whether Codex lists the model, and whether it has the effort.

    Args:
        codex: the binary that will run the turn.
        model: what the turn will run with. None means Codex's default on a new thread, and any on another.
        effort: what was asked for, if anything was.

    Returns:
        What to warn of.

    Raises:
        BadInputError: the model has no such effort.
    """
    kept = model_cache.read_models(settings.home, codex) or []
    if _lists(kept, model) and _complaint(_meant(kept, model, is_new_thread=is_new_thread), effort) is None:
        return ()
    try:
        models = ask_codex(settings)  # what is kept may be old: it must not refuse anything
    except CodexServerError:
        return ()
    complaint = _complaint(_meant(models, model, is_new_thread=is_new_thread), effort)
    if complaint is not None:
        raise complaint
    if _lists(models, model):
        return ()
    return (f"Codex does not list a model {model!r}; `codex-server models` shows those that it does",)


def ask_codex(settings: Settings) -> list[Model]:
    """What Codex lists now.

    Raises:
        CodexServerError: it does not tell.
    """
    from codex_server_cli.actions.account import read_models  # 10 ms, for what is rarely asked

    return read_models(settings)


def _lists(models: list[Model], name: str | None) -> bool:
    return any(name in (None, model.name) for model in models)


def _meant(models: list[Model], name: str | None, *, is_new_thread: bool) -> list[Model]:
    """The models of which the turn will run with one."""
    if name is not None:
        return [model for model in models if model.name == name]
    return [model for model in models if model.is_default] if is_new_thread else models


def _complaint(models: list[Model], effort: str | None) -> BadInputError | None:
    allowed = list(dict.fromkeys(each for model in models for each in model.efforts))
    if effort is None or effort in allowed or not allowed:
        return None
    who = f"{models[0].name} has no" if len(models) == 1 else "no model has an"
    return BadInputError(f"{who} effort {effort!r}", hint=f"Give one of: {', '.join(allowed)}.")
