"""The help of every verb as one text: `python -m tests.kit.help_text > references/cli-help.txt`.

Prints the same on every machine: the width is fixed (100, or the argument), and there are no colours.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

REFERENCE = Path(__file__).parents[2] / "references" / "cli-help.txt"
REGENERATE = "python -m tests.kit.help_text > references/cli-help.txt"
FIXED = {"COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"}
_COLOURING = ("FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS", "TERMINAL_WIDTH", "CLICOLOR_FORCE")


def help_text() -> str:
    """What `codex-server --help` and each verb's `--help` print. Only right in a process whose environment is fixed."""
    from typer.testing import CliRunner

    from codex_server_cli.cli.table import VERBS
    from codex_server_cli.cli.typer_parser import build

    app, runner, sections = build(None), CliRunner(), []
    for arguments in ([], *(verb.split() for verb in VERBS)):
        result = runner.invoke(app, [*arguments, "--help"], prog_name="codex-server")
        assert result.exit_code == 0, result.output
        lines = (line.rstrip() for line in result.output.strip().splitlines())
        sections.append("\n".join(["$ " + " ".join(["codex-server", *arguments, "--help"]), "", *lines, ""]))
    return "\n".join(sections)


if __name__ == "__main__":
    for name in _COLOURING:
        os.environ.pop(name, None)
    os.environ.update(FIXED)
    if len(sys.argv) > 1:
        os.environ["COLUMNS"] = sys.argv[1]
    print(help_text(), end="")
