"""The scripts that make a shell ask at TAB, and where they are installed: `--install-completion`, `--show-completion`.

Owns both, with typer's paths, so that a script of an earlier version is replaced. `shells` makes the answers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import shellingham

from codex_server_cli.errors import UsageError
from codex_server_cli.settings.tab import ShellFolders

_BASH = r"""_codex_server_completion() {
    local IFS=$'\n' word
    COMPREPLY=()
    while read -r word; do
        if [[ -n $word ]]; then COMPREPLY+=("$word"); else compopt +o default 2>/dev/null; fi
    done < <(env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD="$COMP_CWORD" _CODEX_SERVER_COMPLETE=complete_bash "$1")
}
complete -o default -F _codex_server_completion codex-server
"""
# It answers at once when autoloaded by its file name: with typer's script, which only registers, the first TAB fails.
_ZSH = r"""#compdef codex-server
_codex_server_completion() {
    eval "$(env _TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" _CODEX_SERVER_COMPLETE=complete_zsh codex-server)"
}
if [[ "$funcstack[1]" == _codex-server ]]; then
    _codex_server_completion "$@"
else
    compdef _codex_server_completion codex-server
fi
"""
_FISH_ASKS = "env _CODEX_SERVER_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION={} _TYPER_COMPLETE_ARGS="
_FISH = (
    f'complete --command codex-server --no-files --arguments "({_FISH_ASKS.format("get-args")}(commandline -cp)'
    f' codex-server)" --condition "{_FISH_ASKS.format("is-args")}(commandline -cp) codex-server"\n'
)
_SCRIPTS: Final = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
_STARTUP: Final = {  # the line that loads it at each start of the shell; fish finds it by itself
    "bash": "source ~/.bash_completions/codex-server.sh",
    "zsh": "fpath+=~/.zfunc; autoload -Uz compinit; compinit",
}


def current_shell() -> str:
    """The shell that this command was typed into: `bash`, `zsh` or `fish`.

    Raises:
        UsageError: it is another shell, or none.
    """
    try:
        name, _ = shellingham.detect_shell()
    except shellingham.ShellDetectionFailure:
        name = ""
    if name not in _SCRIPTS:
        found = f"{name} cannot" if name else "only a shell can"
        raise UsageError(f"{found} be made to complete", hint="Type it at the prompt of bash, zsh or fish.")
    return str(name)


def script(shell: str) -> str:
    """The script for a shell."""
    return _SCRIPTS[shell]


def install(shell: str, folders: ShellFolders) -> Path:
    """Install the script where new shells of the user read it. Idempotent.

    Returns:
        Its path.

    Raises:
        OSError: it cannot be written.
    """
    places = {
        "bash": folders.home / ".bash_completions" / "codex-server.sh",
        "zsh": folders.home / ".zfunc" / "_codex-server",
        "fish": folders.config / "fish" / "completions" / "codex-server.fish",
    }
    path = places[shell]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(script(shell), encoding="utf-8")
    if shell in _STARTUP:
        line = _STARTUP[shell]
        startup = folders.zsh / ".zshrc" if shell == "zsh" else folders.home / ".bashrc"
        startup.parent.mkdir(parents=True, exist_ok=True)
        _add_line(startup, line, {line, f"source '{path}'"})
    return path


def _add_line(file: Path, line: str, known: set[str]) -> None:
    """Append a line to a user's file, unless it has one of the known lines."""
    text = file.read_bytes() if file.exists() else b""
    if not known.intersection(each.decode("utf-8", "replace").strip() for each in text.splitlines()):
        with file.open("ab") as stream:
            stream.write((b"" if not text or text.endswith(b"\n") else b"\n") + line.encode() + b"\n")
