"""Why an app-server behind ssh ended: the texts of OpenSSH 9.2, and what is said to people."""

from __future__ import annotations

from codex_server_cli.core.model.server.address import parse_address
from codex_server_cli.core.result.ssh_end import NO_DIRECTORY, SshEnd, by_hand, explain
from codex_server_cli.errors import ErrorKind
from tests.kit.cases import for_each

HOST = parse_address("ssh://me@far:2222/home/x/.codex")


def end(code: int | None, said: str = "", *, has_answered: bool = False, cwd: str | None = "/work") -> SshEnd:
    return explain(code, said, HOST, has_answered=has_answered, command="codex", cwd=cwd)


@for_each(
    ("said", "kind", "message", "hint"),
    [
        (
            "me@far: Permission denied (publickey).\r\n",
            ErrorKind.BAD_INPUT,
            "me@far accepts no login without a password: me@far: Permission denied (publickey).",
            "ssh -p 2222 me@far true",
        ),
        (
            "@@@@@\n@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\n"
            "Host key for [far]:2222 has changed and you have requested strict checking.\n"
            "Host key verification failed.",
            ErrorKind.BAD_INPUT,
            "me@far has another host key than the one that is known here: Host key verification failed.",
            "ssh-keygen -R",
        ),
        (
            "No ED25519 host key is known for [far]:2222 and you have requested strict checking.\n"
            "Host key verification failed.",
            ErrorKind.BAD_INPUT,
            "the host key of me@far is not known here: Host key verification failed.",
            "accept it: `ssh -p 2222 me@far true`.",
        ),
        (
            "ssh: Could not resolve hostname far: Name or service not known",
            ErrorKind.NETWORK,
            "there is no host far: ssh: Could not resolve hostname far: Name or service not known",
            "~/.ssh/config",
        ),
        (
            "ssh: connect to host far port 2222: Connection refused",
            ErrorKind.NETWORK,
            "nothing accepts ssh at me@far: ssh: connect to host far port 2222: Connection refused",
            "sshd",
        ),
        (
            "ssh: connect to host far port 2222: Connection timed out",
            ErrorKind.NETWORK,
            "me@far cannot be reached by ssh: ssh: connect to host far port 2222: Connection timed out",
            "ssh -p 2222 me@far true",
        ),
        (
            "Bad configuration option: x",
            ErrorKind.NETWORK,
            "ssh to me@far failed: Bad configuration option: x",
            "ssh -p 2222 me@far true",
        ),
        ("", ErrorKind.NETWORK, "ssh to me@far failed", "ssh -p 2222 me@far true"),
    ],
)
def test_a_login_that_fails_is_told_with_its_next_step(said: str, kind: ErrorKind, message: str, hint: str) -> None:
    found = end(255, said)
    assert (found.kind, found.message) == (kind, message)
    assert hint in found.hint


@for_each(
    ("code", "kind", "message"),
    [
        (127, ErrorKind.CODEX_MISSING, "me@far cannot run codex: env: ‘codex’: No such file or directory"),
        (126, ErrorKind.CODEX_MISSING, "me@far cannot run codex: env: ‘codex’: No such file or directory"),
        (
            NO_DIRECTORY,
            ErrorKind.BAD_INPUT,
            "me@far has no directory /work that can be entered: env: ‘codex’: No such file or directory",
        ),
        (
            1,
            ErrorKind.CODEX_CRASHED,
            "no app-server began on me@far (exit code 1): env: ‘codex’: No such file or directory",
        ),
        (
            -9,
            ErrorKind.CODEX_CRASHED,
            "no app-server began on me@far (signal 9): env: ‘codex’: No such file or directory",
        ),
    ],
)
def test_what_fails_after_the_login_is_told_apart(code: int, kind: ErrorKind, message: str) -> None:
    found = end(code, "env: ‘codex’: No such file or directory")
    assert (found.kind, found.message) == (kind, message)
    assert found.hint


def test_the_hints_name_what_to_change() -> None:
    assert "server_command" in end(127).hint
    assert "--cwd" in end(NO_DIRECTORY).hint
    assert end(NO_DIRECTORY, cwd=None).message == "no app-server began on me@far (exit code 77)"
    assert end(1, "Error loading config.toml: x").kind is ErrorKind.BAD_INPUT


@for_each(
    ("code", "said", "kind", "message"),
    [
        (
            255,
            "Timeout, server far not responding.",
            ErrorKind.NETWORK,
            "the connection to me@far was lost: Timeout, server far not responding.",
        ),
        (255, "", ErrorKind.CODEX_CRASHED, "the app-server on me@far was killed, or cut off"),
        (-15, "", ErrorKind.CODEX_CRASHED, "the ssh to me@far was killed here (signal 15)"),
        (1, "Error: x", ErrorKind.CODEX_CRASHED, "the app-server on me@far ended (exit code 1): Error: x"),
    ],
)
def test_one_that_had_answered_was_lost(code: int, said: str, kind: ErrorKind, message: str) -> None:
    assert end(code, said, has_answered=True) == SshEnd(kind, message, "")


def test_one_that_had_to_be_ended_did_not_answer() -> None:
    found = end(None, "motd\n")
    assert (found.kind, found.message) == (ErrorKind.NETWORK, "me@far does not answer in time: motd")
    assert "true" in found.hint


def test_a_login_by_hand_names_what_the_address_names() -> None:
    assert by_hand(HOST) == "ssh -p 2222 me@far"
    assert by_hand(parse_address("ssh://far")) == "ssh far"
    assert explain(255, "", parse_address("ssh://far"), has_answered=True, command="c", cwd=None).message.count("far")
