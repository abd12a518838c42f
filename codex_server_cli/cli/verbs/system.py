"""The verbs about the installation: `setup`, `doctor`, `gc`, `demo`, `version`."""

from __future__ import annotations

from codex_server_cli import __version__
from codex_server_cli.actions import system
from codex_server_cli.actions.doctor import doctor as diagnosis
from codex_server_cli.actions.read import read
from codex_server_cli.cli import output
from codex_server_cli.core.byte_size import parse_size
from codex_server_cli.core.documents.gc import gc_document
from codex_server_cli.core.documents.lean import rows_of, without_empty
from codex_server_cli.core.documents.turn import VERSION
from codex_server_cli.core.duration import parse_duration_s
from codex_server_cli.core.size import size
from codex_server_cli.errors import Exit
from codex_server_cli.render.escape import neutralise
from codex_server_cli.render.gc import gone_table, gone_view, remarks, summary
from codex_server_cli.render.notes import check_lines
from codex_server_cli.render.style.ink import Style
from codex_server_cli.settings.places import Settings


def setup() -> None:
    """Prepare the home, pin the native codex binary, initialise a fresh CODEX_HOME."""
    result = system.setup(Settings.load())
    version = f" ({result.codex.version})" if result.codex.version else ""
    lines = [
        f"home        {result.home}",
        f"codex       {result.codex.path}{version}" + ("" if result.is_newly_pinned else ", pinned already"),
    ]
    if result.has_initialised_codex_home:
        lines.append("CODEX_HOME  initialised")
    if result.collected.turn_ids:
        lines.append(f"collected   {len(result.collected.turn_ids)} old turns, {size(result.collected.freed_bytes)}")
    lines.append(f"login       {'ready' if result.login_problem is None else result.login_problem.message}")
    output.show("\n".join(lines) + "\n")
    if result.login_problem is not None and result.login_problem.hint:
        output.note(result.login_problem.hint)


def doctor(*, json: bool, full: bool) -> Exit:
    """Check everything a turn needs; returns the exit code of the first failed check."""
    checks = diagnosis.doctor(Settings.load())
    if json or full:
        documents = [
            {"version": VERSION, "name": c.name, "ok": c.is_ok, "detail": c.detail, "hint": c.hint} for c in checks
        ]
        output.show_json(documents if full else rows_of(documents))
    else:
        _show_checks([(check.name, check.is_ok, check.detail, check.hint) for check in checks])
    return next((check.exit_code for check in checks if not check.is_ok), Exit.OK)  # a warning is ok


def _show_checks(checks: list[tuple[str, bool, str, str]]) -> None:
    if not output.is_terminal():
        output.show(check_lines(checks))
        return
    from codex_server_cli.render.style.facts import checks_block

    output.show_styled(checks_block(checks, output.display()))


def gc(
    *,
    older_than: str | None,
    max_size: str | None,
    keep: int | None,
    dry_run: bool,
    named: bool,
    worktrees: bool,
    json: bool,
    full: bool,
) -> None:
    """Delete ended turns that are old, too many or too large, and what killed turns left."""
    age_s = parse_duration_s(older_than, "--older-than", needs_unit=True) if older_than is not None else None
    max_bytes = parse_size(max_size, "--max-size") if max_size is not None else None
    settings = Settings.load()
    read.check_home(settings)  # a scheduled job with a mistyped home must not always succeed
    collected = system.gc(
        settings,
        age_s,
        keep=keep,
        max_bytes=max_bytes,
        is_dry_run=dry_run,
        includes_named=named,
        includes_worktrees=worktrees,
    )
    if json or full:
        document = gc_document(collected, is_dry_run=dry_run)
        output.show_json(document if full else without_empty(document))
    elif dry_run and output.is_terminal():
        output.show_styled(gone_view(collected, output.display()))
        output.say(f"{summary(collected, is_dry_run=True)}\n")
    elif dry_run:
        output.show(f"{gone_table(collected, output.width())}{summary(collected, is_dry_run=True)}\n")
    else:
        output.show("".join(f"{turn_id}\n" for turn_id in collected.turn_ids))
        output.note(summary(collected, is_dry_run=False))
    for line in remarks(collected, max_size, keep):
        output.note(line)


def demo(*, keep: bool) -> int:
    """Run a whole turn offline: the real codex against a scripted model on this machine."""
    from codex_server_cli.actions.demo import run_demo

    return run_demo(Settings.load(), _say_of_demo, keeps_home=keep)


def _say_of_demo(text: str) -> None:
    """Print our own text on stderr: a command as it would be typed, and what comes next."""
    style = Style.CYAN if text.startswith("$ ") else Style.PLAIN
    output.note_styled(f"{output.err_ink()(neutralise(text), style)}\n")


def version() -> None:
    """Print the versions of codex-server and of its codex."""
    output.show(f"codex-server {__version__} (codex {diagnosis.codex_version(Settings.load()) or 'not found'})\n")
