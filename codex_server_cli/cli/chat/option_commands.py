"""The slash commands for the options of the next messages: model, effort, sandbox."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from codex_server_cli.actions import chat_terms
from codex_server_cli.cli.chat.calls import off_loop
from codex_server_cli.cli.chat.state import ChatState
from codex_server_cli.core.account.account import Model
from codex_server_cli.core.model.request import Sandbox
from codex_server_cli.render.turns.choices import choice_rows

_DEFAULT = "default"


class OptionCommands:
    """The option commands of one chat.

    Attributes:
        commands: by name; each takes its argument.
    """

    def __init__(self, chat: ChatState) -> None:
        self._chat = chat
        self.commands: dict[str, Callable[[str], Awaitable[None]]] = {
            "model": self._model,
            "effort": self._effort,
            "sandbox": self._sandbox,
        }

    async def _model(self, model: str) -> None:
        if model:
            await self._set("model", model)
            return
        models = await self._models()
        if not models:
            self._tell("model")
            return
        chosen = await self._pick_model(models)
        if chosen is not None:
            await self._set("model", chosen.name)
            await self._pick_effort(chosen.efforts, chosen.default_effort)

    async def _effort(self, effort: str) -> None:
        if effort:
            await self._set("effort", effort)
            return
        names = (self._chat.options.model, self._chat.meta.get("model"))
        model = next((each for each in await self._models() if each.name in names), None)
        if model is None:
            self._tell("effort")
        else:
            await self._pick_effort(model.efforts, model.default_effort)

    async def _models(self) -> list[Model]:
        settings, options, target = self._chat.settings, self._chat.options, self._chat.target
        return await off_loop(lambda: chat_terms.models(settings, options, target))

    async def _pick_model(self, models: Sequence[Model]) -> Model | None:
        rows = [(f"{each.name}{' (default)' * each.is_default}", " ".join(each.efforts)) for each in models]
        now = self._chat.options.model or self._chat.meta.get("model")
        at = next((index for index, each in enumerate(models) if each.name == now), 0)
        index = await self._chat.screen.picker.choose("the model of the next messages", _rows(rows), at)
        return None if index is None else models[index]

    async def _pick_effort(self, efforts: Sequence[str], default: str | None) -> None:
        if not efforts:
            return
        rows = [(f"{each}{' (default)' * (each == default)}",) for each in efforts]
        now = self._chat.options.effort or default
        at = efforts.index(now) if now in efforts else 0
        index = await self._chat.screen.picker.choose("the reasoning effort of the next messages", _rows(rows), at)
        if index is not None:
            await self._set("effort", efforts[index])

    async def _set(self, name: str, value: str) -> None:
        """Set an option of the next messages if Codex accepts the value."""
        chosen: dict[str, Any] = {name: None if value == _DEFAULT else value}
        options, target = self._chat.options._replace(**chosen), self._chat.target
        if value != _DEFAULT:
            await off_loop(lambda: chat_terms.check_model(self._chat.settings, options, target))
        self._chat.options = self._chat.options._replace(**chosen)
        self._chat.note(f"{name} {value}, from the next message on")
        is_model = name == "model" and value != _DEFAULT
        if is_model and await off_loop(lambda: chat_terms.is_unlisted(self._chat.settings, options, target)):
            self._chat.note(f"{value} is not in Codex's list of models; a provider of your own may have it")

    def _tell(self, name: str) -> None:
        current = getattr(self._chat.options, name) or "what Codex chooses"
        self._chat.note(f"{name}: {current}; /{name} {_DEFAULT} leaves it to Codex")

    async def _sandbox(self, value: str) -> None:
        if value and value not in list(Sandbox):
            self._chat.note(f"no such sandbox: {value}; there are {', '.join(Sandbox)}")
        elif value:
            self._chat.options = self._chat.options._replace(sandbox=Sandbox(value))
            self._chat.note(f"sandbox {value}, from the next message on")
        else:
            self._chat.note(f"sandbox: {self._chat.options.sandbox or 'read-only'}; there are {', '.join(Sandbox)}")


def _rows(rows: Sequence[Sequence[str]]) -> Callable[[int], list[str]]:
    return lambda width: choice_rows(rows, width)
