"""What lists and findings look like at a real terminal, in colour and without, wide and narrow."""

from __future__ import annotations

import re
from pathlib import Path

from rich.cells import cell_len

from codex_server_cli.disk.files import read_json, write_json
from codex_server_cli.errors import ErrorKind
from tests.kit.captures import captured_turns
from tests.kit.home import COMMAND
from tests.kit.shell import Shell
from tests.kit.tmux import Terminal
from tests.kit.turns_on_disk import TurnsOnDisk

THREAD = "01a1fa62-b67e-7a01-a798-fd4067f1c682"
PROMPT = "Explain in 日本語 what this repository is about, who wrote it, and why"
VERBS = ("list-turns", "list", "show last -n 3", "usage --since 3650d", "account", "server status", "doctor")


def add_thread(shell: Shell) -> None:
    folder = shell.codex_home / "sessions" / "2026" / "11" / "20"
    folder.mkdir(parents=True)
    head = f'"payload":{{"id":"{THREAD}","timestamp":"2026-11-20T16:57:41.000Z","cwd":"/srv/p"}}'
    lines = f'{{"type":"session_meta",{head}}}\n' + (
        f'{{"type":"event_msg","payload":{{"type":"user_message","message":"{PROMPT}"}}}}\n'
    )
    (folder / f"rollout-2026-11-20T16-57-41-{THREAD}.jsonl").write_text(lines)


def screen_of(shell: Shell, root: Path, columns: int, *settings: str, verbs: tuple[str, ...] = VERBS) -> str:
    """What a terminal shows of the verbs, one after the other, with its styles."""
    root.mkdir()
    command = "; ".join(f"{COMMAND} {verb}" for verb in verbs)
    words = [*settings, "bash", "-c", command]
    with Terminal(root, words, shell.env, cwd=shell.project, columns=columns, lines=120) as terminal:
        terminal.wait_for_exit()
        return terminal.screen(has_styles=True).rstrip()


def test_each_is_one_screen_that_a_person_reads(shell: Shell, turns: TurnsOnDisk, tmp_path: Path) -> None:
    add_thread(shell)
    failed = turns.failed(ErrorKind.NETWORK, "the network is gone")
    newest = turns.complete("Done.")
    newest.events.write_bytes(captured_turns("approval_patch_accept")[0].events())
    newest.prompt.write_text(PROMPT)
    write_json(newest.meta, {**(read_json(newest.meta) or {}), "cwd": str(shell.project)})
    short = newest.turn_id[-4:] if newest.turn_id[-4:] != failed.turn_id[-4:] else newest.turn_id[-15:]

    wide = screen_of(shell, tmp_path / "wide", 80)
    plain = re.sub(r"\x1b\[[\d;]*m", "", wide)
    assert re.search(rf"^✓ {short}  +\w+  Explain in 日本語 what th.*…  ~/project", plain, re.MULTILINE)
    assert re.search(r"^f?1?c?682  +\w+  Explain in 日本語", plain, re.MULTILINE)
    assert re.search(rf"^next  +codex-server .*{short}", plain, re.MULTILINE)
    assert "\x1b[32m✓" in wide
    assert "cap1.txt new, 1 line\n  \x1b[32m+hello" in wide
    assert "\x1b[31m✗" in wide
    assert all(cell_len(line) <= 80 for line in plain.splitlines())

    running = turns.running(name="runs")
    narrow = screen_of(shell, tmp_path / "narrow", 40, "NO_COLOR=1", verbs=(*VERBS, "answer runs"))
    assert not re.search(r"\x1b\[[\d;]*3[0-7]m", narrow)
    assert re.search(rf"^✓ {short}  Explain in 日本語 wh", narrow, re.MULTILINE)
    assert re.search(r"^✓ codex-server\n    0\.", narrow, re.MULTILINE)

    # The command in the hint of an error is broken at blanks, and a copy of it runs.
    told = f"`codex-server wait \\\n{running.turn_id} --timeout 100 \\\n--print answer`. Its text so far:\n"
    assert f"\nFirst:\n{told}`codex-server tail \\\n{running.turn_id}`" in narrow

    run = shell.run("show", THREAD[-4:])
    assert run.stdout.startswith(f"thread        {THREAD}\n")  # a pipe has the facts as ever
