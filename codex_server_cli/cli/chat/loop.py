"""A conversation at a terminal: reads lines, runs turns, shows blocks. Owns the order of events.

Everything runs on one event loop, blocking calls in threads beside it. A turn goes on when this program exits. Must
never know how a block is rendered, or what codex is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from codex_server_cli.actions import conversation as chat
from codex_server_cli.actions.control import approvals
from codex_server_cli.actions.conversation import ChatTarget, ChatTurn, Seen
from codex_server_cli.actions.start.options import StartOptions
from codex_server_cli.cli.chat.approvals import ApprovalDialog, has_secret, named
from codex_server_cli.cli.chat.calls import call_on_loop, off_loop, start
from codex_server_cli.cli.chat.command_names import COMMANDS, CommandCompleter, parse
from codex_server_cli.cli.chat.commands import SlashCommands
from codex_server_cli.cli.chat.screen import LineHistory, Screen, Shown
from codex_server_cli.cli.chat.status import status_of
from codex_server_cli.cli.chat.tasks import Interrupting, Starting, hint_in_chat
from codex_server_cli.cli.terminal.markdown import Painter
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.errors import CodexServerError
from codex_server_cli.render.chat_blocks import Block, BlockKind, ChatBlocks, end_blocks
from codex_server_cli.render.status_line import status_line
from codex_server_cli.settings.places import Settings


class Chat:
    """One chat; its attributes are those of `state.ChatState`."""

    def __init__(self, settings: Settings, options: StartOptions, target: ChatTarget, painter: Painter) -> None:
        self.settings, self.options, self.target = settings, options, target
        self.chat_turn: ChatTurn | None = None
        self.view: TurnView | None = None
        self.tokens = 0
        self._painter = painter
        self.chat_blocks = ChatBlocks()
        self.dialog: ApprovalDialog | None = None
        self.meta: Mapping[str, Any] = {}
        self.limits: Mapping[str, Any] | None = None
        self._waiting: list[str] = []  # messages that `steer` did not take
        self._warned: set[str] = set()
        self.starting, self.interrupting = Starting(), Interrupting(self.note, self.complain, self._fail)
        self._is_warned = self._is_unwanted = False  # unwanted: interrupt the turn once it has started
        self._todo: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue()
        self._commands = SlashCommands(self)
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
        """Run until the user quits.

        Args:
            prompt: the first message; None waits for one.
        """
        self._loop = asyncio.get_running_loop()
        await self.switch_to(self.target)
        if prompt is not None:
            self.screen.history.append_string(prompt)
            self._todo.put_nowait(lambda: self._send(prompt))
        try:
            with self.screen.application.restoring():
                await self.screen.application.run_async(pre_run=self._begin)
                await self._wait_for_start()
                await self.interrupting.outcome()
        except EOFError:
            pass  # the terminal is gone
        finally:
            if self.chat_turn is not None:
                self.chat_turn.leave()

    def _begin(self) -> None:
        self.screen.application.create_background_task(self._work())  # it first runs after the first redraw

    async def _work(self) -> None:
        """Run the queued calls one by one; a defect of ours ends the program and is reported."""
        while True:
            call = await self._todo.get()
            try:
                await call()
            except Exception as error:
                self._fail(error)

    def _fail(self, error: Exception) -> None:
        if self._is_open:
            self.screen.application.exit(exception=error)

    @property
    def _is_open(self) -> bool:
        return self.screen.application.is_running and not self.screen.application.is_done

    # --- output

    def say(self, *blocks: Block) -> None:
        """Print blocks above the editor."""
        if blocks:
            self.screen.put(self._painter.paint(blocks, self.screen.width))

    def note(self, text: str) -> None:
        """Print a note."""
        self.say(Block(BlockKind.NOTE, text))

    def complain(self, error: CodexServerError) -> None:
        """Print an error and the next step in the chat, rather than in a shell."""
        hint = hint_in_chat(error)
        self.say(Block(BlockKind.ERROR, f"✗ {error.message}" + (f"\n{hint}" if hint else "")))

    def _shown(self) -> Shown:
        dialog = self.dialog
        return Shown(
            live=self.chat_blocks.live_text if self.chat_turn is not None else "",
            asked=dialog.hint if dialog is not None else "",
            status=partial(status_line, status_of(self)),
            is_secret=dialog is not None and dialog.is_secret,
            can_interrupt=self.chat_turn is not None or bool(self.starting),
        )

    # --- input

    def _take_line(self, text: str) -> bool:
        """Queue a line; it answers only the request that was shown when it was typed.

        Returns:
            Whether the line stays in the editor: it came too soon.
        """
        self._is_warned = False
        dialog = self.dialog
        entry, shown = (dialog.entry, dialog.shown) if dialog is not None else (None, 0)
        if entry is not None and self.screen.is_being_read and parse(text) is None:
            self.note("that came before it could be read; Enter once more answers")
            return True
        self._todo.put_nowait(lambda: self._on_line(text, entry, shown))
        return False

    async def _on_line(self, text: str, entry: dict[str, Any] | None, shown: int) -> None:
        command = parse(text)
        is_secret = entry is not None and has_secret(entry)
        if command is not None and (command.name in COMMANDS or not is_secret):
            await self._commands.do(command)
        elif entry is not None:
            if self.dialog is not None and self.dialog.shown == shown:
                await self.dialog.answer(entry, text)
            else:
                self.note(f"nothing waits any more for {named(entry, text)}")
        elif self.chat_turn is not None:
            await self._steer(text.strip("\n"), self.chat_turn)
        elif text.strip():
            await self._send(text.strip("\n"))

    def _interrupt(self, typed: str) -> None:
        if self.chat_turn is not None:
            if self.dialog is not None:
                self.dialog.is_interrupted = True
            self.interrupting.begin(self.chat_turn)
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
        """Interrupt the turn, as in Codex's own program; never quits, clears nothing."""
        if self.chat_turn is not None or self.starting:
            self._interrupt("")

    def quit(self) -> None:
        """Quit; a running turn goes on."""
        if self._is_open:
            self.screen.application.exit()

    async def _send(self, text: str) -> None:
        """Start the next turn; if it is refused, its text goes back into the editor."""
        self.say(Block(BlockKind.SAID, text))
        options, choice = self.options._replace(prompt=text), self.target.choice
        self._is_unwanted = False
        self.screen.refresh()
        try:
            chat_turn = await self.starting.begin(lambda: chat.begin(self.settings, options, choice))
        except CodexServerError as error:
            self.complain(error)
            self.screen.fill(text)
            return
        finally:
            self.screen.refresh()
        self._say_all([Block(BlockKind.WARNING, f"! {warning}") for warning in chat_turn.warnings])
        self.follow(chat_turn)
        if self._is_unwanted:
            self._interrupt("")

    async def _wait_for_start(self) -> None:
        """After quitting, wait for a turn that is being started, and report it."""
        try:
            self.chat_turn = await self.starting.outcome() or self.chat_turn
        except CodexServerError as error:
            self.complain(error)
        if self.starting:
            self.note("a turn may be starting: codex-server list-turns shows it")
        if self._is_unwanted and self.chat_turn is not None:
            self._interrupt("")

    async def switch_to(self, target: ChatTarget) -> None:
        """Switch to a thread: show which it is, and follow the turn that runs there."""
        self.target = target
        self._commands.note_location()
        if target.choice is not None:
            choice = target.choice
            self._commands.show_entries(await off_loop(lambda: chat.last_entries(self.settings, choice, 4)))
        if target.running is not None:
            self.note(f"turn {target.running.directory.turn_id} is running")
            self.follow(target.running)

    def follow(self, chat_turn: ChatTurn) -> None:
        """Show a turn from its first event to its end."""
        self.chat_turn, self.view = chat_turn, None
        self.chat_blocks = ChatBlocks()
        self.dialog = ApprovalDialog(chat_turn, self.say, self.screen, lambda text: self._steer(text, chat_turn))

        def read() -> None:
            try:
                for seen in chat_turn.follow():
                    call_on_loop(self._loop, partial(self._on_seen, chat_turn, seen))
            except Exception as error:
                call_on_loop(self._loop, partial(self._fail, error))

        start(read)

    def _on_seen(self, chat_turn: ChatTurn, seen: Seen) -> None:
        if self.chat_turn is not chat_turn or self.dialog is None:
            return
        try:
            self.view, self.meta = seen.view, seen.view.meta or self.meta
            blocks = [block for event in seen.events for block in self.chat_blocks.feed(event)]
            self._say_all(blocks)
            self.limits = self.chat_blocks.record.limits or self.limits
            self.dialog.update(seen.pending)
            if seen.is_end:
                self._on_end(chat_turn, seen.view)
            self.screen.refresh()
        except Exception as error:
            self._fail(error)

    def _say_all(self, blocks: list[Block]) -> None:
        """Print all blocks but the warnings that were printed before: some come with every turn."""
        known = [block for block in blocks if block.kind is BlockKind.WARNING and block.text in self._warned]
        self._warned |= {block.text for block in blocks if block.kind is BlockKind.WARNING}
        self.say(*(block for block in blocks if block not in known))

    def _on_end(self, chat_turn: ChatTurn, view: TurnView) -> None:
        self.say(*self.chat_blocks.end(), *end_blocks(view))
        usage = view.result.get("usage")
        self.tokens += usage["total_tokens"] if usage else 0
        self.target = chat.target_after(self.settings, chat_turn, self.target)
        self.chat_turn = self.dialog = None
        waiting, self._waiting = self._waiting, []
        if waiting and view.state is State.COMPLETE:
            text = "\n\n".join(waiting)
            self._todo.put_nowait(lambda: self._send(text))
        elif waiting:
            self.screen.fill("\n\n".join(waiting))
            self.note("what waited to be sent is in the editor again")

    async def _steer(self, text: str, chat_turn: ChatTurn) -> None:
        """Send text to the running turn, else to the next one. It is shown when Codex reports it."""
        try:
            await off_loop(lambda: approvals.steer(chat_turn.directory, text))
        except CodexServerError as error:
            if self.chat_turn is None:
                await self._send(text)
            else:
                self._waiting.append(text)
                self.note(f"{error.message}; this is the next message: {text}")
