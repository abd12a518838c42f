"""What each shell is answered at TAB, and what is installed to make it ask; `test_shells` has the shells themselves."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import shellingham

from codex_server_cli.cli.completion import scripts
from codex_server_cli.errors import UsageError
from codex_server_cli.settings.tab import shell_folders
from tests.kit.command_run import Run
from tests.kit.shell import Shell
from tests.kit.turns_on_disk import TurnsOnDisk


@pytest.fixture
def place(shell: Shell) -> Path:
    """The project, with directories and a file."""
    for name in ("so urce/inner", "other", ".hidden", "two\nlines"):
        (shell.project / name).mkdir(parents=True)
    (shell.project / "sample.txt").touch()
    return shell.project


def tab(shell: Shell, name: str, line: str, action: str = "get-args") -> Run:
    """Press TAB at the end of a line, in bash with its words one a line."""
    env = {"_CODEX_SERVER_COMPLETE": f"complete_{name}", "_TYPER_COMPLETE_ARGS": line}
    env |= {"COMP_WORDS": line.replace(" ", "\n"), "COMP_CWORD": str(line.count(" "))}
    run = shell.call(env=env | {"_TYPER_COMPLETE_FISH_ACTION": action})
    assert run.stderr == ""
    return run


def test_bash_gets_words_and_directories_that_it_need_not_quote(shell: Shell, place: Path) -> None:
    said = {
        line: tab(shell, "bash", f"codex-server {line}").stdout.split("\n")[:-1]
        for line in (
            "wait --until ",
            "new --sandbox = w",
            "new --sandbox =",
            "new -C so",
            "new -C ",
            "new -F sa",
            "new --model ",
            "'",
        )
    }
    assert said["wait --until "] == ["end", "attention"]
    assert said["new --sandbox = w"] == ["workspace-write"]
    assert len(said["new --sandbox ="]) == 3
    assert said["new -C so"] == ["so\\ urce/", "so\\ urce/inner/"]
    assert "so\\ urce/" in said["new -C "]
    assert not {".hidden/", "sample.txt"} & {*said["new -C "]}
    assert said["new -F sa"] == []
    assert said["new --model "] == [""]  # bash: offer no files
    assert tab(shell, "bash", "codex-server new -C .h").stdout == ".hidden/\n"


def test_zsh_gets_code_that_can_only_describe(shell: Shell, place: Path, turns: TurnsOnDisk) -> None:
    turns.complete(prompt="it's \\ $(x): `y`", name="mend")
    said = {
        line: tab(shell, "zsh", f"codex-server {line}").stdout
        for line in ("tail m", "new --cwd ", "new --cwd=s", "new --file ", "new --server un", "new --deadline ")
    }
    assert said["tail m"] == (
        "local -a found; found=('mend:complete: it'\\''s \\\\ $(x): `y`'); _describe -V codex-server found\n"
    )
    assert said["new --cwd "] == "_path_files -/\n"
    assert said["new --cwd=s"] == "compset -P '*='; _path_files -/\n"
    assert said["new --file "] == "_files\n"
    assert "'unix\\://:a socket: unix:///PATH'" in said["new --server un"]
    assert said["new --deadline "] == "_message 'no completion'\n"


def test_fish_gets_words_with_what_they_stand_for(shell: Shell, place: Path) -> None:
    assert tab(shell, "fish", "codex-server new --server sh").stdout == "shared\tours, for many turns\n"
    assert tab(shell, "fish", "codex-server wait --print no").stdout == "none\n"
    assert tab(shell, "fish", "codex-server new --cwd=o").stdout == "--cwd=other/\n"
    assert tab(shell, "fish", "codex-server new --file s", "is-args").code == 1
    assert tab(shell, "fish", "codex-server new --server s", "is-args").code == 0
    assert tab(shell, "fish", "codex-server tail 'an open quote").stdout == ""


def test_nothing_is_offered_where_looking_fails(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("bash", "fish"):
        assert tab(shell, name, "codex-server new --cwd ~nouser/").stdout in ("", "\n")

    def fail() -> int:
        raise ZeroDivisionError

    monkeypatch.setattr("codex_server_cli.cli.completion.shells.answer", fail)
    assert tab(shell, "bash", "codex-server tail ").code == 1


@pytest.mark.parametrize("request_", ["complete_pwsh", "source_bash", ""])
def test_what_is_not_understood_is_not_answered(shell: Shell, request_: str) -> None:
    run = shell.call(env={"_CODEX_SERVER_COMPLETE": request_})
    assert (run.code, run.stdout, run.stderr) == (1, "", "")


@pytest.fixture(autouse=True)
def no_folders_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shells whose files are where they are by default."""
    for variable in ("ZDOTDIR", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(variable, raising=False)


def test_it_is_installed_where_a_shell_reads_whose_files_are_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZDOTDIR", str(tmp_path / "zsh"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    scripts.install("zsh", shell_folders(tmp_path))
    assert "fpath+=~/.zfunc" in (tmp_path / "zsh" / ".zshrc").read_text()
    path = scripts.install("fish", shell_folders(tmp_path))
    assert path == tmp_path / "config/fish/completions/codex-server.fish"
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")  # which its specification has ignored
    assert scripts.install("fish", shell_folders(tmp_path)).parent == tmp_path / ".config/fish/completions"


def test_bash_takes_each_line_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "words").write_text("*\nso\\ urce/\n\n[ab]\n")
    ask = f"{scripts.script('bash')}\nenv() {{ cat words; }}; touch a b\n_codex_server_completion x; printf '<%s>' "
    run = subprocess.run(
        ["bash", "-c", f'{ask} "${{COMPREPLY[@]}}"'], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert run.stdout == "<*><so\\ urce/><[ab]>"


@pytest.mark.parametrize(
    ("name", "startup"), [("bash", ".bashrc"), ("zsh", ".zshrc"), ("fish", ".config/fish/config.fish")]
)
def test_it_is_installed_once_and_leaves_what_else_is_there(name: str, startup: str, tmp_path: Path) -> None:
    file = tmp_path / startup
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"alias x=\xff")
    paths = [scripts.install(name, shell_folders(tmp_path)) for _ in range(2)]
    assert paths[0].read_text() == scripts.script(name)
    lines = file.read_bytes().splitlines()
    assert (lines[0], len(lines)) == (b"alias x=\xff", 1 if name == "fish" else 2)


def test_the_line_of_an_earlier_version_is_enough(tmp_path: Path) -> None:
    line = f"source '{tmp_path}/.bash_completions/codex-server.sh'\n"
    (tmp_path / ".bashrc").write_text(line)
    scripts.install("bash", shell_folders(tmp_path))
    assert (tmp_path / ".bashrc").read_text() == line


def test_the_shell_that_is_typed_into_is_found(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shellingham, "detect_shell", lambda: ("fish", "/usr/bin/fish"))
    run = shell.call("--install-completion")
    assert (run.code, run.stderr) == (0, "")
    assert (tmp_path / ".config/fish/completions/codex-server.fish").exists()
    assert shell.call("--show-completion").stdout == scripts.script("fish")


def test_without_a_shell_that_can_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shellingham, "detect_shell", lambda: ("tcsh", "/bin/tcsh"))
    with pytest.raises(UsageError, match="tcsh cannot be made to complete"):
        scripts.current_shell()

    def fail() -> None:
        raise shellingham.ShellDetectionFailure

    monkeypatch.setattr(shellingham, "detect_shell", fail)
    with pytest.raises(UsageError, match="only a shell can"):
        scripts.current_shell()
