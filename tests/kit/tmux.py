"""A user at a terminal: a command in a tmux of its own, keys typed into it, and what its screen then shows.

Owns the tmux server, which is private to one test and is gone with it. Never here: assertions about the product.

    with Terminal(tmp_path, [COMMAND, "watch"], home.env, cwd=home.project) as terminal:
        terminal.wait_for("answering")
        terminal.press("q")
        assert terminal.wait_for_exit() == 0
"""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import termios
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import psutil
import pytest

from tests.kit.processes import is_over
from tests.kit.support import DEADLINE_S, wait_until

COLUMNS, LINES = 80, 24
_END_S = 5.0
_CONFIG = """\
set -g default-terminal screen-256color
set -g status off
set -g remain-on-exit on
set -gq remain-on-exit-format ""
set -g history-limit 20000
set -s escape-time 0
set -g destroy-unattached off
"""


class Terminal:
    """A command in a terminal of 80 columns and 24 lines by default. Its output stays when it ends.

    Attributes:
        pid: the process id of the command, which leads a session of its own.
    """

    def __init__(
        self,
        root: Path,
        command: Sequence[str],
        env: Mapping[str, str],
        *,
        cwd: Path | None = None,
        columns: int = COLUMNS,
        lines: int = LINES,
    ) -> None:
        """Start `command`; skip the test where tmux is not installed.

        Args:
            root: an existing directory of the test's own, where the server's socket lies.
            command: words; variables to set for it may stand before it, as `env` has them.
            env: the whole environment, but for TERM, which tmux sets (`["TERM=dumb", COMMAND, …]` changes it).
        """
        tmux = shutil.which("tmux")
        if tmux is None:
            pytest.skip("tmux is not installed, and this test needs a terminal")
        config = root / "tmux.conf"
        config.write_text(_CONFIG)
        self._pasted = root / "pasted"
        self._env = {name: value for name, value in env.items() if name not in ("TMUX", "TMUX_PANE")}
        self._tmux = [tmux, "-u", "-S", str(root / "tmux"), "-f", str(config)]
        size = ("-x", str(columns), "-y", str(lines))
        self._ask("new-session", "-d", "-s", "main", *size, "-c", str(cwd or root), "--", "env", *command)
        self._server = psutil.Process(int(self.fact("pid")))
        self.pid = int(self.fact("pane_pid"))

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- actions of the user

    def type(self, text: str) -> None:
        """Type text, character by character; no Enter after it."""
        self._ask("send-keys", "-t", "main", "-l", "--", text)

    def press(self, *keys: str) -> None:
        """Press keys by tmux's names: `Enter`, `C-c`, `C-d`, `Escape`, `M-Enter`, `Up`, `BSpace`, `q`."""
        self._ask("send-keys", "-t", "main", "--", *keys)

    def enter(self, text: str) -> None:
        """Type a line and end it."""
        self.type(text)
        self.press("Enter")

    def paste(self, text: str) -> None:
        """Paste text, in brackets where the program asked for them."""
        self._pasted.write_text(text)  # a command of tmux takes no more than 16 KB
        self._ask("load-buffer", str(self._pasted))
        self._ask("paste-buffer", "-p", "-r", "-t", "main")

    def resize(self, columns: int, lines: int) -> None:
        """Make the window another size; the program gets SIGWINCH."""
        self._ask("resize-window", "-t", "main", "-x", str(columns), "-y", str(lines))

    # --- the screen

    def screen(self, *, has_styles: bool = False) -> str:
        """The lines that are shown now, each without the blanks at its end.

        Args:
            has_styles: with the escapes of colours, bold and so on.
        """
        return self._capture(*(("-e",) if has_styles else ()))

    def history(self) -> str:
        """The scrollback and the screen: lines as they were written, without the blank ones at the end."""
        return self._capture("-J", "-S", "-").rstrip("\n")

    def wait_for(self, what: str | Callable[[str], bool], timeout_s: float = DEADLINE_S) -> str:
        """Wait until the screen holds a text, or a predicate is true of it.

        Returns:
            The screen then.
        """
        last = ""

        def matches() -> bool:
            nonlocal last
            last = self.screen()
            return what in last if isinstance(what, str) else what(last)

        try:
            wait_until(matches, timeout_s)
        except AssertionError:
            wanted = repr(what) if isinstance(what, str) else "what the test waits for"
            raise AssertionError(f"{wanted} was not shown within {timeout_s:g} s but:\n{last}") from None
        return last

    def wait_for_exit(self, timeout_s: float = DEADLINE_S) -> int:
        """Wait until the command has ended.

        Returns:
            Its exit code; 128 and the signal where one ended it.
        """
        (code,) = wait_until(self._exit_codes, timeout_s, "the end of the command")
        return code

    # --- the state of the terminal

    @property
    def is_alternate(self) -> bool:
        """Whether the alternate screen is shown."""
        return self.fact("alternate_on") == "1"

    @property
    def has_cursor(self) -> bool:
        """Whether the cursor is shown."""
        return self.fact("cursor_flag") == "1"

    def fact(self, name: str) -> str:
        """A variable of tmux's formats about the pane."""
        return self._ask("display-message", "-p", "-t", "main", f"#{{{name}}}").rstrip("\n")

    def unread(self) -> int:
        """How many typed bytes the terminal still holds, where the command reads them key by key.

        Typing returns before that: tmux forwards keys asynchronously.
        """
        count = array.array("i", [0])
        fd = os.open(self.fact("pane_tty"), os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            fcntl.ioctl(fd, termios.FIONREAD, count)
        finally:
            os.close(fd)
        return count[0]

    def close(self) -> None:
        """End the server and the command, with SIGKILL where the command survives the end of its terminal."""
        processes = [self._server, *(process for process in psutil.process_iter() if self._is_ours(process))]
        subprocess.run([*self._tmux, "kill-server"], env=self._env, capture_output=True, check=False)
        with contextlib.suppress(AssertionError):
            wait_until(lambda: all(map(is_over, processes)), _END_S)
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        wait_until(lambda: all(map(is_over, processes)), what="the end of what ran in the terminal")

    def _exit_codes(self) -> list[int]:
        """The exit code of the command; none before tmux knows it."""
        status, ended_by = self.fact("pane_dead_status"), self.fact("pane_dead_signal")
        if not (status or ended_by) and self.fact("pane_dead") == "1":
            self._server.send_signal(signal.SIGCHLD)  # tmux 3.3 at times misses it, and leaves the command a zombie
        return [128 + int(ended_by)] if ended_by else [int(status)] if status else []

    def _is_ours(self, process: psutil.Process) -> bool:
        """Whether it belongs to the command's session; a turn's worker has one of its own, and outlives a terminal."""
        try:
            return os.getsid(process.pid) == self.pid
        except OSError:
            return False

    def _capture(self, *options: str) -> str:
        shown = self._ask("capture-pane", "-p", *options, "-t", "main")
        return "\n".join(line.rstrip() for line in shown.split("\n"))

    def _ask(self, *words: str) -> str:
        run = subprocess.run([*self._tmux, *words], env=self._env, capture_output=True, timeout=DEADLINE_S, check=False)
        assert run.returncode == 0, f"tmux {words[0]}: {run.stderr.decode(errors='replace')}"
        return run.stdout.decode("utf-8", "replace")
