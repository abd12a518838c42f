"""Checks of the login, model and effort of a chat's next turn, before the user has typed a message that could be lost.

The rules are those of `start`. Must never start a turn.
"""

from __future__ import annotations

from pathlib import Path

from codex_server_cli.actions.codex_probe import probe_once
from codex_server_cli.actions.conversation import ChatTarget
from codex_server_cli.actions.start import checks, start
from codex_server_cli.actions.start.options import StartOptions
from codex_server_cli.actions.start.turn_request import default_model
from codex_server_cli.codex import login
from codex_server_cli.codex.binary import find_codex
from codex_server_cli.core.account.account import Model
from codex_server_cli.core.model.codex_config import layered
from codex_server_cli.core.model.request import TurnRequest
from codex_server_cli.disk.codex_sessions import provider_of_thread
from codex_server_cli.disk.model_cache import read_efforts
from codex_server_cli.errors import CodexServerError
from codex_server_cli.settings.config import Config, read_config
from codex_server_cli.settings.places import Settings


def check_model(settings: Settings, options: StartOptions, target: ChatTarget) -> None:
    """Check the model and the effort for the next messages; on a foreign server only its turns can tell.

    Raises:
        BadInputError: as `start.new`, for the options that decide them.
        CodexMissingError: no usable codex.
    """
    config, choice = read_config(settings.config_path), target.choice
    if not _is_ours(settings, options, target, config):
        return
    profile, _ = start.read_named_profile(settings, options.profile)
    overrides = checks.parse_overrides(options.config)
    model = options.model or default_model(config, choice, profile, overrides)
    request = TurnRequest("", "/", model, options.effort, config=overrides, profile_config=profile)
    request = request._replace(thread_id=choice.thread_id if choice is not None else None)
    if request.asked_model is not None or request.asked_effort is not None:
        codex = find_codex(config.codex, settings.search_path).path
        start.check_model(settings, codex, request, choice, is_default=options.model is None)


def is_unlisted(settings: Settings, options: StartOptions, target: ChatTarget) -> bool:
    """Whether Codex does not list the model; False where that is not known. A custom provider may have it anyway; with
    any other provider `check_model` refuses it."""
    if not _is_ours(settings, options, target, read_config(settings.config_path)):
        return False
    from codex_server_cli.actions import account  # as in `models`

    try:
        return options.model not in [each.name for each in account.read_models(settings)]
    except CodexServerError:  # the turn will report it
        return False


def check_login(settings: Settings, options: StartOptions, target: ChatTarget) -> None:
    """Check whether the next turn may start, as far as that depends on the login.

    Raises:
        NotLoggedInError, BadInputError, CodexMissingError: as `start.new`.
    """
    config, choice = read_config(settings.config_path), target.choice
    if not _is_ours(settings, options, target, config):
        return
    profile, _ = start.read_named_profile(settings, options.profile)
    codex = find_codex(config.codex, settings.search_path, lambda path: probe_once(settings, path))
    cwd = options.cwd or (choice.cwd if choice is not None else None) or str(Path.cwd())
    own = provider_of_thread(settings.codex_home, choice.thread_id) if choice is not None else None
    terms = login.ThreadTerms(cwd, layered(profile, checks.parse_overrides(options.config)), lambda: own)
    login.check_login(settings.codex_home, codex.path, terms, may_bill_api_key=config.may_bill_api_key)


def models(settings: Settings, options: StartOptions, target: ChatTarget) -> list[Model]:
    """The models to choose from; `[]` where they are not known: on a foreign server, or with a custom provider.

    Raises:
        CodexServerError: as `account.read_openai_models`.
    """
    if not _is_ours(settings, options, target, read_config(settings.config_path)):
        return []
    from codex_server_cli.actions import account  # for a list that few chats open

    thread_id = target.choice.thread_id if target.choice is not None else None
    return [model for model in account.read_openai_models(settings, thread_id) if not model.is_hidden]


def known_efforts(settings: Settings) -> list[str]:
    """The reasoning efforts of Codex's models, from the cache."""
    return read_efforts(settings.home)


def _is_ours(settings: Settings, options: StartOptions, target: ChatTarget, config: Config) -> bool:
    """Whether the turn runs on a codex of this machine, so that its login and models can be read."""
    server = start.choose_server(settings, options, config, target.choice)[1]
    return server is None or server.is_ours
