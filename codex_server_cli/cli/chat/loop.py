"""A conversation at a terminal: reads lines, runs turns, shows blocks. Owns the order of events.

Everything runs on one event loop, blocking calls in threads beside it. A turn continues when this program exits. Must
never know how a block is rendered, or what codex is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from codex_server_cli.actions import chat_terms
from codex_server_cli.actions import conversation as chat
from codex_server_cli.actions.conversation import ChatTarget, ChatTurn, Seen
from codex_server_cli.actions.read.project_files import project_files
from codex_server_cli.actions.start.options import StartOptions
from codex_server_cli.cli.chat.approvals import ApprovalDialog, has_secret, named
from codex_server_cli.cli.chat.calls import call_on_loop, off_loop, start
from codex_server_cli.cli.chat.command_names import COMMANDS, CommandCompleter, parse
from codex_server_cli.cli.chat.commands import SlashCommands
from codex_server_cli.cli.chat.editor.files import FileCompleter
from codex_server_cli.cli.chat.editor.history import LineHistory
from codex_server_cli.cli.chat.editor.look import Shown
from codex_server_cli.cli.chat.editor.pastes import Pastes
from codex_server_cli.cli.chat.editor.screen import Screen
from codex_server_cli.cli.chat.messages import SHELL_NOTE, Messages
from codex_server_cli.cli.chat.status import status_of
from codex_server_cli.cli.chat.tasks import Interrupting, TurnStart, hint_in_chat
from codex_server_cli.cli.terminal.markdown import Painter
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
        self._warned: set[str] = set()
        self.turn_start, self.interrupting = TurnStart(), Interrupting(self.note, self.complain, self._fail)
        self._is_warned = False
        self._todo: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue()
        self._commands = SlashCommands(self)
        self._pastes = pastes = Pastes()
        self.messages = Messages(self, pastes)
        self.screen = Screen(
            self._shown,
            LineHistory(lambda: chat.read_history(settings), lambda line: chat.add_to_history(settings, line), pastes),
            pastes,
            (CommandCompleter(lambda: chat_terms.known_efforts(settings)), FileCompleter(self._files)),
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
            self._todo.put_nowait(lambda: self.messages.send(prompt))
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
        for work in (self._work(), self._check_login()):
            self.screen.application.create_background_task(work)  # it first runs after the first redraw

    async def _check_login(self) -> None:
        """Report before the first message why it would be refused."""
        try:
            await off_loop(lambda: chat_terms.check_login(self.settings, self.options, self.target))
        except CodexServerError as error:
            if self.chat_turn is None and not self.turn_start:  # a start reports it itself
                self.complain(error)
        except Exception as error:
            self._fail(error)

    def _files(self) -> list[str]:
        return project_files(self.cwd)

    @property
    def cwd(self) -> str:
        """The working directory of the next turn."""
        choice = self.target.choice
        return self.options.cwd or (choice.cwd if choice is not None else None) or str(Path.cwd())

    async def _work(self) -> None:
        """Run the queued calls one by one; an internal error ends the program and is reported."""
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
            can_interrupt=self.chat_turn is not None or bool(self.turn_start),
        )

    # --- input

    def _take_line(self, text: str) -> bool:
        """Queue a line; it answers only the request that was shown when it was typed.

        Returns:
            Whether the line stays in the editor: it came too soon, or is a shell command.
        """
        self._is_warned = False
        dialog = self.dialog
        entry, shown = (dialog.entry, dialog.shown) if dialog is not None else (None, 0)
        if entry is not None and self.screen.is_being_read and parse(text) is None:
            self.note("that came before it could be read; Enter once more answers")
            return True
        if entry is None and text.startswith("!"):
            self.note(SHELL_NOTE)
            return True
        self._todo.put_nowait(lambda: self._on_line(text, entry, shown))
        return False

    async def _on_line(self, text: str, entry: dict[str, Any] | None, shown: int) -> None:
        command = parse(text)
        is_secret = entry is not None and has_secret(entry)
        whole = self._pastes.expand(text)
        if command is not None and command.argument:
            command = command._replace(argument=self._pastes.expand(command.argument))
        if command is not None and (command.name in COMMANDS or not is_secret):
            await self._commands.do(command)
        elif entry is not None:
            if self.dialog is not None and self.dialog.shown == shown:
                await self.dialog.answer(entry, whole)
            else:
                self.note(f"nothing waits any more for {named(entry, self._pastes.labelled(text))}")
        elif self.chat_turn is not None:
            await self.messages.steer(text.strip("\n"), self.chat_turn)
        elif text.strip():
            await self.messages.send(text.strip("\n"))

    def _interrupt(self, typed: str) -> None:
        if self.chat_turn is not None:
            if self.dialog is not None:
                self.dialog.is_interrupted = True
            self.interrupting.begin(self.chat_turn)
        elif self.turn_start:
            self.turn_start.is_unwanted = True
            self.note("the turn is interrupted once it has begun")
        elif typed:
            self.screen.buffer.reset()
        elif self._is_warned:
            self.quit()
        else:
            self._is_warned = True
            self.note("/quit or Ctrl-D leaves; so does Ctrl-C once more")

    def _escape(self) -> None:
        """Interrupt the turn, as in Codex's own program; never quits or clears the editor."""
        if self.chat_turn is not None or self.turn_start:
            self._interrupt("")

    def quit(self) -> None:
        """Quit; a running turn continues."""
        if self._is_open:
            self.screen.application.exit()

    async def _wait_for_start(self) -> None:
        """After quitting, wait for a turn that is being started, and report it."""
        try:
            self.chat_turn = await self.turn_start.outcome() or self.chat_turn
        except CodexServerError as error:
            self.complain(error)
        if self.turn_start:
            self.note("a turn may be starting: codex-server list-turns shows it")
        if self.turn_start.is_unwanted and self.chat_turn is not None:
            self._interrupt("")

    async def switch_to(self, target: ChatTarget) -> None:
        """Switch to a thread: show its id and directory, and follow the turn that runs there."""
        self.target, self.view, self.meta, self.chat_blocks = target, None, {}, ChatBlocks()
        self._commands.note_location()
        if target.choice is not None:
            choice = target.choice
            self._commands.show_entries(await off_loop(lambda: chat.last_entries(self.settings, choice, 4)))
        if target.running is not None:
            self.note(f"turn {target.running.directory.turn_id} is running")
            self.follow(target.running)

    async def begin_turn(self, call: Callable[[], ChatTurn]) -> bool:
        """Start a turn and follow it; returns whether it has begun; if not, the reason was shown."""
        return await self.messages.begin(call)

    def follow(self, chat_turn: ChatTurn) -> None:
        """Show a turn from its first event to its end."""
        self.chat_turn, self.view = chat_turn, None
        self.chat_blocks = ChatBlocks()
        self.dialog = ApprovalDialog(
            chat_turn, self.say, self.screen, lambda text: self.messages.steer(text, chat_turn)
        )

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
            self.say_new([self._as_typed(block) for block in blocks])
            self.limits = self.chat_blocks.record.limits or self.limits
            self.dialog.update(seen.pending)
            if seen.is_end:
                self._on_end(chat_turn, seen.view)
            self.screen.refresh()
        except Exception as error:
            self._fail(error)

    def say_new(self, blocks: list[Block]) -> None:
        """Print all blocks except warnings that were printed before: some come with every turn."""
        known = [block for block in blocks if block.kind is BlockKind.WARNING and block.text in self._warned]
        self._warned |= {block.text for block in blocks if block.kind is BlockKind.WARNING}
        self.say(*(block for block in blocks if block not in known))

    def _as_typed(self, block: Block) -> Block:
        is_said = block.kind is BlockKind.SAID
        return block._replace(text=self.messages.as_typed(block.text)) if is_said else block

    def _on_end(self, chat_turn: ChatTurn, view: TurnView) -> None:
        self.say(*self.chat_blocks.end(), *end_blocks(view))
        usage = view.result.get("usage")
        self.tokens += usage["total_tokens"] if usage else 0
        self.target = chat.target_after(self.settings, chat_turn, self.target)
        self.chat_turn = self.dialog = None
        line = self.messages.next_after(view)
        if line is not None:
            self._todo.put_nowait(lambda: self.messages.send(line))
