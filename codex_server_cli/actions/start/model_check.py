"""Checking that Codex lists the model, and that the model has the effort. Owns this check before a turn exists.

What cannot be looked up is not checked: Codex reports it later. Must never be imported where neither was asked for: a
look-up starts an app-server, once for each codex.
"""

from __future__ import annotations

from pathlib import Path

from codex_server_cli.codex.login import read_codex_config
from codex_server_cli.core.account.account import Model
from codex_server_cli.core.model.codex_config import value_in
from codex_server_cli.core.model.payer import DEFAULT_PROVIDER, provider_of_new_thread
from codex_server_cli.core.model.request import TurnRequest
from codex_server_cli.disk import model_cache
from codex_server_cli.errors import BadInputError, CodexServerError
from codex_server_cli.settings.places import Settings


def check_request(
    settings: Settings, codex: Path, request: TurnRequest, kept_model: str | None, source: str = ""
) -> None:
    """Check the model and effort of a request; not for a custom provider, which has other models.

    Args:
        codex: the binary that will run the turn.
        kept_model: the thread's last model, if known.
        source: as `check_model`.

    Raises:
        BadInputError: as `check_model`.
    """
    config = read_codex_config(settings.codex_home, codex, request.profile_config)
    if provider_of_new_thread(config) != DEFAULT_PROVIDER:
        return
    check_model(
        settings,
        codex,
        model=request.asked_model,
        effort=request.asked_effort,
        thread_id=request.thread_id,
        kept_model=kept_model if request.thread_id is not None else value_in(config, "model"),
        source=source,
    )


def check_model(
    settings: Settings,
    codex: Path,
    *,
    model: str | None,
    effort: str | None,
    thread_id: str | None = None,
    kept_model: str | None = None,
    source: str = "",
) -> None:
    """Check that Codex lists the model, hidden or not, and that it has the effort.

    Args:
        codex: the binary that will run the turn.
        model, effort: what was asked for, or None.
        thread_id: the thread to resume; None for a new one.
        kept_model: the turn's model where none was asked for, if known; it is not checked itself. If unknown, Codex's
            default counts on a new thread, and any model on a resumed one.
        source: where the model is configured, as text, unless the user has just given it.

    Raises:
        BadInputError: Codex does not list the model, or the model has no such effort.
    """
    name, is_new_thread = model or kept_model, thread_id is None

    def complaint(models: list[Model]) -> BadInputError | None:
        if model is not None and all(model != each.name for each in models):
            return _unlisted(model, models, source)
        return _without_effort(_candidates(models, name, is_new_thread=is_new_thread), effort)

    kept = model_cache.read_models(settings.home, codex)
    if kept and complaint(kept) is None and (model is not None or _candidates(kept, name, is_new_thread=is_new_thread)):
        return
    try:
        models = ask_codex(settings, thread_id)  # the cache may be stale: it must not cause a refusal
    except CodexServerError:
        return
    error = complaint(models) if models else None
    if error is not None:
        raise error


def ask_codex(settings: Settings, thread_id: str | None) -> list[Model]:
    """The models that Codex lists now; `[]` where the provider is not OpenAI's.

    Raises:
        CodexServerError: it does not report them.
    """
    from codex_server_cli.actions.account import read_openai_models  # 10 ms, rarely needed

    return read_openai_models(settings, thread_id)


def _candidates(models: list[Model], name: str | None, *, is_new_thread: bool) -> list[Model]:
    """The models that the turn may run with."""
    if name is not None:
        return [model for model in models if model.name == name]
    return [model for model in models if model.is_default] if is_new_thread else models


def _unlisted(name: str, models: list[Model], source: str) -> BadInputError:
    from difflib import get_close_matches

    names = {model.name.lower(): model.name for model in models}
    near = get_close_matches(name.lower(), names, 1)
    meant = f"Did you mean {names[near[0]]}? " if near else ""
    shown = ", ".join(model.name for model in models if not model.is_hidden)
    return BadInputError(f"Codex lists no model {name!r}{source}", hint=f"{meant}Give one of: {shown}.")


def _without_effort(models: list[Model], effort: str | None) -> BadInputError | None:
    allowed = list(dict.fromkeys(each for model in models for each in model.efforts))
    if effort is None or effort in allowed or not allowed:
        return None
    subject = f"{models[0].name} has no" if len(models) == 1 else "no model has an"
    return BadInputError(f"{subject} effort {effort!r}", hint=f"Give one of: {', '.join(allowed)}.")
