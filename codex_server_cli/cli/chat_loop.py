"""A conversation at a terminal: lines go in, exchanges run, blocks scroll by. Owns what happens when.

Everything runs on one event loop; what blocks runs beside it. An exchange that this program leaves goes on by itself.
Must never know how a block looks, or what codex is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from codex_server_cli.actions import answers, chat
from codex_server_cli.actions.chat import Exchange, Place, Seen
from codex_server_cli.actions.options import StartOptions
from codex_server_cli.cli.chat_asking import Asking, has_secret, named
from codex_server_cli.cli.chat_calls import off_loop, start, tell
from codex_server_cli.cli.chat_commands import COMMANDS, CommandCompleter, parse
from codex_server_cli.cli.chat_control import Interrupting, Starting, hint_in_chat
from codex_server_cli.cli.chat_deeds import Deeds
from codex_server_cli.cli.chat_screen import LineHistory, Screen, Shown
from codex_server_cli.cli.chat_status import status_of
from codex_server_cli.cli.chat_text import Painter
from codex_server_cli.core.turn import State
from codex_server_cli.core.view import TurnView
from codex_server_cli.errors import CodexServerError
from codex_server_cli.render.conversation import Block, BlockKind, Conversation, end_blocks
from codex_server_cli.render.status_line import status_line
from codex_server_cli.settings.places import Settings


class Chat:
    """One conversation.

    Attributes:
        options: of the next exchange, less its prompt.
        place: the thread that it goes on with.
        exchange: the one that runs, if any; what is asked in it is `asking`'s.
        view: the newest turn as it was last seen.
        tokens: of all exchanges that have ended.
        meta: of the newest turn that has told it.
        limits: of the account, as they were last told.
    """

    def __init__(self, settings: Settings, options: StartOptions, place: Place, painter: Painter) -> None:
        self.settings, self.options, self.place = settings, options, place
        self.exchange: Exchange | None = None
        self.view: TurnView | None = None
        self.tokens = 0
        self._painter = painter
        self.conversation = Conversation()
        self.asking: Asking | None = None
        self.meta: Mapping[str, Any] = {}
        self.limits: Mapping[str, Any] | None = None
        self._waiting: list[str] = []  # messages that could not be steered in
        self._warned: set[str] = set()
        self.starting, self.interrupting = Starting(), Interrupting(self.note, self.complain, self._fail)
        self._is_warned = self._is_unwanted = False  # unwanted: what is being started
        self._todo: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue()
        self._deeds = Deeds(self)
        history = LineHistory(lambda: chat.read_history(settings), lambda line: chat.add_to_history(settings, line))
        self.screen = Screen(
            self._shown,
            history,
            CommandCompleter(lambda: chat.known_efforts(settings)),
            on_line=self._take_line,
            on_interrupt=self._interrupt,
            on_escape=self._escape,
            on_end=self.quit,
        )

    async def run(self, prompt: str | None) -> None:
        """Converse until the person leaves.

        Args:
            prompt: the first message; None waits for one.
        """
        self._loop = asyncio.get_running_loop()
        await self.settle_in(self.place)
        if prompt is not None:
            self.screen.history.append_string(prompt)
            self._todo.put_nowait(lambda: self._send(prompt))
        try:
            with self.screen.application.tidy():
                await self.screen.application.run_async(pre_run=self._begin)
                await self._wait_for_start()
                await self.interrupting.outcome()
        except EOFError:
            pass  # the terminal is gone
        finally:
            if self.exchange is not None:
                self.exchange.leave()

    def _begin(self) -> None:
        self.screen.application.create_background_task(self._work())  # its first step comes after the first drawing

    async def _work(self) -> None:
        """Do one thing after the other; a defect of ours ends the program, and is told as one."""
        while True:
            deed = await self._todo.get()
            try:
                await deed()
            except Exception as error:
                self._fail(error)

    def _fail(self, error: Exception) -> None:
        if self._is_open:
            self.screen.application.exit(exception=error)

    @property
    def _is_open(self) -> bool:
        return self.screen.application.is_running and not self.screen.application.is_done

    # --- what is shown

    def say(self, *blocks: Block) -> None:
        """Let blocks scroll by."""
        if blocks:
            self.screen.put(self._painter.paint(blocks, self.screen.width))

    def note(self, text: str) -> None:
        """A word of ours."""
        self.say(Block(BlockKind.NOTE, text))

    def complain(self, error: CodexServerError) -> None:
        """What cannot be done, and the next step: here, rather than in a shell."""
        hint = hint_in_chat(error)
        self.say(Block(BlockKind.ERROR, f"✗ {error.message}" + (f"\n{hint}" if hint else "")))

    def _shown(self) -> Shown:
        asking = self.asking
        return Shown(
            live=self.conversation.live_text if self.exchange is not None else "",
            asked=asking.hint if asking is not None else "",
            status=partial(status_line, status_of(self)),
            is_secret=asking is not None and asking.is_secret,
            can_interrupt=self.exchange is not None or bool(self.starting),
        )

    # --- what the person does

    def _take_line(self, text: str) -> bool:
        """Whatever was typed decides what could be read at that moment, and nothing that is asked later.

        Returns:
            Whether it stays in the editor: it came too soon.
        """
        self._is_warned = False
        asking = self.asking
        entry, shown = (asking.entry, asking.shown) if asking is not None else (None, 0)
        if entry is not None and self.screen.is_being_read and parse(text) is None:
            self.note("that came before it could be read; Enter once more answers")
            return True
        self._todo.put_nowait(lambda: self._on_line(text, entry, shown))
        return False

    async def _on_line(self, text: str, entry: dict[str, Any] | None, shown: int) -> None:
        command = parse(text)
        is_secret = entry is not None and has_secret(entry)
        if command is not None and (command.name in COMMANDS or not is_secret):
            await self._deeds.do(command)
        elif entry is not None:
            if self.asking is not None and self.asking.shown == shown:
                await self.asking.answer(entry, text)
            else:
                self.note(f"nothing waits any more for {named(entry, text)}")
        elif self.exchange is not None:
            await self._steer(text.strip("\n"), self.exchange)
        elif text.strip():
            await self._send(text.strip("\n"))

    def _interrupt(self, typed: str) -> None:
        if self.exchange is not None:
            if self.asking is not None:
                self.asking.is_interrupted = True
            self.interrupting.begin(self.exchange)
        elif self.starting:
            self._is_unwanted = True
            self.note("the turn is interrupted once it has begun")
        elif typed:
            self.screen.buffer.reset()
        elif self._is_warned:
            self.quit()
        else:
            self._is_warned = True
            self.note("/quit or Ctrl-D leaves; so does Ctrl-C once more")

    def _escape(self) -> None:
        """As in Codex's own program; it never leaves, and clears nothing."""
        if self.exchange is not None or self.starting:
            self._interrupt("")

    def quit(self) -> None:
        """Leave; a turn that runs goes on."""
        if self._is_open:
            self.screen.application.exit()

    async def _send(self, text: str) -> None:
        """Begin the next exchange; where it is refused, its text goes back into the editor."""
        self.say(Block(BlockKind.SAID, text))
        options, choice = self.options._replace(prompt=text), self.place.choice
        self._is_unwanted = False
        self.screen.refresh()
        try:
            exchange = await self.starting.begin(lambda: chat.begin(self.settings, options, choice))
        except CodexServerError as error:
            self.complain(error)
            self.screen.fill(text)
            return
        finally:
            self.screen.refresh()
        self._say_news([Block(BlockKind.WARNING, f"! {warning}") for warning in exchange.warnings])
        self.follow(exchange)
        if self._is_unwanted:
            self._interrupt("")

    async def _wait_for_start(self) -> None:
        """Whoever leaves learns of the turn that was being started."""
        try:
            self.exchange = await self.starting.outcome() or self.exchange
        except CodexServerError as error:
            self.complain(error)
        if self.starting:
            self.note("a turn may be starting: codex-server list-turns shows it")
        if self._is_unwanted and self.exchange is not None:
            self._interrupt("")

    async def settle_in(self, place: Place) -> None:
        """Go on at some place: show where that is, and follow what runs there."""
        self.place = place
        self._deeds.greet()
        if place.choice is not None:
            choice = place.choice
            self._deeds.recall(await off_loop(lambda: chat.last_entries(self.settings, choice, 4)))
        if place.running is not None:
            self.note(f"turn {place.running.directory.turn_id} is running")
            self.follow(place.running)

    def follow(self, exchange: Exchange) -> None:
        """Show an exchange from its first event to its end."""
        self.exchange, self.view = exchange, None
        self.conversation = Conversation()
        self.asking = Asking(exchange, self.say, self.screen, lambda words: self._steer(words, exchange))

        def read() -> None:
            try:
                for seen in exchange.follow():
                    tell(self._loop, partial(self._on_seen, exchange, seen))
            except Exception as error:
                tell(self._loop, partial(self._fail, error))

        start(read)

    def _on_seen(self, exchange: Exchange, seen: Seen) -> None:
        if self.exchange is not exchange or self.asking is None:
            return
        try:
            self.view, self.meta = seen.view, seen.view.meta or self.meta
            blocks = [block for event in seen.events for block in self.conversation.feed(event)]
            self._say_news(blocks)
            self.limits = self.conversation.record.limits or self.limits
            self.asking.update(seen.pending)
            if seen.is_end:
                self._on_end(exchange, seen.view)
            self.screen.refresh()
        except Exception as error:
            self._fail(error)

    def _say_news(self, blocks: list[Block]) -> None:
        """Say all but the warnings that were said before: some come with every turn."""
        known = [block for block in blocks if block.kind is BlockKind.WARNING and block.text in self._warned]
        self._warned |= {block.text for block in blocks if block.kind is BlockKind.WARNING}
        self.say(*(block for block in blocks if block not in known))

    def _on_end(self, exchange: Exchange, view: TurnView) -> None:
        self.say(*self.conversation.end(), *end_blocks(view))
        usage = view.result.get("usage")
        self.tokens += usage["total_tokens"] if usage else 0
        self.place = chat.place_after(self.settings, exchange, self.place)
        self.exchange = self.asking = None
        waiting, self._waiting = self._waiting, []
        if waiting and view.state is State.COMPLETE:
            text = "\n\n".join(waiting)
            self._todo.put_nowait(lambda: self._send(text))
        elif waiting:
            self.screen.fill("\n\n".join(waiting))
            self.note("what waited to be sent is in the editor again")

    async def _steer(self, text: str, exchange: Exchange) -> None:
        """Into the running turn, else into the next one. Codex tells of it when it takes it up: it is shown then."""
        try:
            await off_loop(lambda: answers.steer(exchange.directory, text))
        except CodexServerError as error:
            if self.exchange is None:
                await self._send(text)
            else:
                self._waiting.append(text)
                self.note(f"{error.message}; this is the next message: {text}")
