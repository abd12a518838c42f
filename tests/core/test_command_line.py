"""A command as one text: words are split as in a shell, and no other shell syntax applies."""

from __future__ import annotations

import pytest

from codex_server_cli.core.command_line import pattern_in, quoted, shell_syntax_in, split_command, with_shell
from codex_server_cli.errors import BadInputError
from tests.kit.cases import for_each


@for_each(
    ("text", "words"),
    [
        ("tell", ["tell"]),
        (" tell  --to 'two words' ", ["tell", "--to", "two words"]),
        ("sh -c 'cat > x; echo $HOME'", ["sh", "-c", "cat > x; echo $HOME"]),
        ("tell $HOME `ls` && rm * #all", ["tell", "$HOME", "`ls`", "&&", "rm", "*", "#all"]),
    ],
)
def test_a_command_is_split_and_nothing_in_it_is_expanded(text: str, words: list[str]) -> None:
    assert split_command(text, "--notify") == words


@for_each("text", ["", "  ", "''", "\0", "tell a\0b", "tell 'it", 'tell "', "tell \\"])
def test_a_text_that_is_no_command_is_refused_by_the_name_of_its_source(text: str) -> None:
    with pytest.raises(BadInputError, match=r"^--notify "):
        split_command(text, "--notify")


@for_each(
    ("text", "found"),
    [
        ("echo hi > x; false", ">"),
        ("tell < x", "<"),
        ("tell; tell", ";"),
        ("tell && tell", "&"),
        ("tell | mail", "|"),
        ("(tell)", "("),
        ("tell `id`", "`"),
        ("tell $(id)", "$("),
        ("tell $HOME/x", "$HOME"),
        ("tell ${HOME}", "${"),
        ("tell $?", "$?"),
        ('tell "to $USER"', "$USER"),
        ('tell "`id`"', "`"),
        ("tell\ntell", "\n"),
        ("tell a&b", "&"),
        ("tell http://h/?x=1&y=2 &", "&"),
        ("tell http://h/&", "&"),
        ("tell http://h/&& tell", "&"),
        ("tell http://h/?x=$HOME", "$HOME"),
        ("tell http://h/?x=1;tell", ";"),
        ("tell http://h/?x=1>log", ">"),
        ("sh -c 'a' > x", ">"),
        ("tell 'it'>x", ">"),
    ],
)
def test_what_only_a_shell_understands_is_found(text: str, found: str) -> None:
    assert shell_syntax_in(text) == found


@for_each(
    "text",
    [
        *("tell", "~/tell", " ~/tell --to 'a > b' ", "tell a~b a#b 5$ {a,b} !x =", 'tell "a > b; c * ? ~ # \n"'),
        *(r"tell \> \$HOME \*", r'tell "\$HOME \`id\`"', "sh -c 'cat > x; echo $HOME'", 'sh -c "cat > x; echo $HOME"'),
        *('bash -lc "a $x"', "tell ''", "tell http://h/?x=1&y=%20&z=[a]*#~ it", "tell --to=https://h/~me?x&y=2"),
    ],
)
def test_what_is_quoted_or_means_itself_is_let_through(text: str) -> None:
    assert shell_syntax_in(text) is None
    assert pattern_in(text) is None


@for_each(
    ("text", "found"),
    [
        ("tell *.md", "*"),
        ("tell a?", "?"),
        ("tell [ab]", "["),
        ("tell ~/x", "~"),
        ("~/tell ~", "~"),
        ("tell #all", "#"),
        ("tell http://h/?x=1 *", "*"),
    ],
)
def test_what_a_shell_would_expand_and_a_program_may_mean_is_let_through_and_found(text: str, found: str) -> None:
    assert shell_syntax_in(text) is None
    assert pattern_in(text) == found


@for_each("text", ["echo hi > x; false", "tell 'a b' | cat", 'tell "$USER" | cat'])
def test_the_command_that_has_a_shell_is_let_through_and_is_one_word_of_it(text: str) -> None:
    command = with_shell(text)
    assert split_command(command, "--notify") == ["sh", "-c", text]
    assert shell_syntax_in(command) is None
    assert split_command(quoted(command), "--notify") == [command]


def test_a_text_is_quoted_as_people_would_where_that_can_be() -> None:
    assert quoted("sh -c 'a; b'") == "\"sh -c 'a; b'\""
    assert quoted("tell a") == "'tell a'"
