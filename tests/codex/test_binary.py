"""Finding the native codex: pinned, on PATH, behind npm's shim, or bundled; and what is wrong with other files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from codex_server_cli.codex import binary as codex_binary
from codex_server_cli.codex.binary import CodexBinary, find_codex, native_of, probe
from codex_server_cli.errors import CodexMissingError, Exit
from tests.fakes import codex as fake
from tests.kit.capabilities import without_powers

PLATFORM, TRIPLE = "codex-linux-x64", "x86_64-unknown-linux-musl"


@pytest.fixture(autouse=True)
def no_bundled(monkeypatch: pytest.MonkeyPatch) -> None:
    """As without the `codex` extra, which this environment may have."""
    monkeypatch.setattr(codex_binary, "_bundled", lambda: None)


def npm_install(prefix: Path, native: str) -> tuple[Path, Path]:
    """npm's layout below a prefix, its native binary being at `native` in `node_modules`; that, and the command."""
    modules = prefix / "lib" / "node_modules"
    shim = modules / "@openai" / "codex" / "bin" / "codex.js"
    shim.parent.mkdir(parents=True)
    shim.write_text("#!/usr/bin/env node\n")
    shim.chmod(0o755)
    command = prefix / "bin" / "codex"
    command.parent.mkdir()
    command.symlink_to(os.path.relpath(shim, command.parent))
    return fake.write(modules / native), command


# --- npm


@pytest.mark.parametrize(
    "native",
    [
        f"@openai/{PLATFORM}/vendor/{TRIPLE}/bin/codex",  # 0.169.0
        f"@openai/codex/node_modules/@openai/{PLATFORM}/vendor/{TRIPLE}/bin/codex",
        f"@openai/{PLATFORM}/vendor/{TRIPLE}/codex/codex",
        f"@openai/codex/vendor/{TRIPLE}/bin/codex",
    ],
)
def test_the_native_binary_is_found_behind_npms_shim(tmp_path: Path, native: str) -> None:
    binary, command = npm_install(tmp_path, native)
    assert native_of(command) == binary
    found = find_codex(None, str(command.parent))
    assert found == CodexBinary(binary, "0.163.0")


def test_a_shim_without_its_binary_is_taken_as_it_is(tmp_path: Path) -> None:
    binary, command = npm_install(tmp_path, f"@openai/{PLATFORM}/vendor/{TRIPLE}/bin/codex")
    binary.chmod(0o644)
    assert native_of(command) == command.resolve()


def test_any_other_executable_is_native(tmp_path: Path) -> None:
    binary = fake.write(tmp_path / "cellar" / "codex")
    link = tmp_path / "codex"
    link.symlink_to(binary)
    assert native_of(link) == binary


# --- where it is looked for


def test_the_first_executable_on_path_is_taken(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "codex").write_text("not executable")
    first = fake.write(tmp_path / "first" / "codex", version="codex-cli 0.169.0")
    fake.write(tmp_path / "second" / "codex")
    path = os.pathsep.join(str(tmp_path / name) for name in ("nowhere", "data", "first", "second"))
    assert find_codex(None, path) == CodexBinary(first, "0.169.0")


def test_a_folder_on_path_that_may_not_be_searched_is_passed_over(tmp_path: Path) -> None:
    closed = fake.write(tmp_path / "closed" / "codex").parent
    (tmp_path / "named" / "codex").mkdir(parents=True)
    found = fake.write(tmp_path / "open" / "codex", version="codex-cli 0.169.0")
    path = os.pathsep.join(str(folder) for folder in (closed, tmp_path / "named", found.parent))
    with without_powers():
        closed.chmod(0)
        try:
            assert find_codex(None, path).path == found
        finally:
            closed.chmod(0o700)


def test_an_empty_path_is_no_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.write(tmp_path / "codex")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CodexMissingError):
        find_codex(None, "")


def test_a_pinned_binary_is_trusted_without_being_run(tmp_path: Path) -> None:
    pinned = tmp_path / "pinned"
    pinned.write_text("#!/bin/false\n")
    pinned.chmod(0o755)
    assert find_codex(str(pinned), "") == CodexBinary(pinned)


def test_a_pinned_shim_is_not_spawned_but_what_is_behind_it(tmp_path: Path) -> None:
    binary, command = npm_install(tmp_path, f"@openai/{PLATFORM}/vendor/{TRIPLE}/bin/codex")
    assert find_codex(str(command), "") == CodexBinary(binary)


@pytest.mark.parametrize("pinned", ["gone", "a-directory", "not-executable"])
def test_a_pin_that_cannot_be_run_any_more_is_found_again(tmp_path: Path, pinned: str) -> None:
    (tmp_path / "a-directory").mkdir()
    (tmp_path / "not-executable").touch()
    on_path = fake.write(tmp_path / "bin" / "codex")
    assert find_codex(str(tmp_path / pinned), str(on_path.parent)) == CodexBinary(on_path, "0.163.0")


def test_the_bundled_binary_is_the_last_resort(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundled = fake.write(tmp_path / "bundled" / "codex", version="codex-cli 0.163.0")
    monkeypatch.setattr(codex_binary, "_bundled", lambda: bundled)
    assert find_codex(None, "") == CodexBinary(bundled, "0.163.0")
    newer = fake.write(tmp_path / "bin" / "codex", version="codex-cli 0.169.0")
    assert find_codex(None, str(newer.parent)) == CodexBinary(newer, "0.169.0")
    too_old = fake.write(tmp_path / "old" / "codex", "too_old", version="codex-cli 0.20.0")
    assert find_codex(None, str(too_old.parent)) == CodexBinary(bundled, "0.163.0")


def test_no_codex_at_all_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(CodexMissingError, match="no codex binary was found") as caught:
        find_codex(None, str(tmp_path))
    assert caught.value.exit_code is Exit.CODEX_MISSING
    assert "npm install -g @openai/codex" in caught.value.hint


def test_the_real_bundled_binary_is_found_without_importing_it(
    one_codex: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    if "codex_cli_bin" not in str(one_codex):
        pytest.skip("the `codex` extra is not installed")
    assert codex_binary._bundled() == one_codex


# --- what is wrong with others


def test_the_real_codex_tells_its_version(codex: Path) -> None:
    found = probe(codex)
    assert found.path == codex
    assert found.version is not None
    assert found.version.startswith("0.1")


@pytest.mark.parametrize(
    ("behaviour", "version", "expected"),
    [
        ("too_old", "codex-cli 0.20.0", "is version 0.20.0, too old to speak app-server"),
        ("silent", "Codex Browser", "does not report a version: is it codex"),
        ("silent", "", "does not report a version: is it codex"),
        ("silent", "silent", "cannot be run: .*timed out"),
    ],
)
def test_what_is_no_usable_codex_is_named_and_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, behaviour: str, version: str, expected: str
) -> None:
    monkeypatch.setattr(codex_binary, "_PROBE_TIMEOUT_S", 0.5 if version == "silent" else 10.0)
    binary = fake.write(tmp_path / "codex", behaviour, version=version)
    with pytest.raises(CodexMissingError, match=f"^{binary} {expected}") as caught:
        probe(binary)
    assert caught.value.hint


def test_what_the_kernel_refuses_to_run_is_named(tmp_path: Path) -> None:
    binary = tmp_path / "codex"
    binary.write_bytes(b"\x7fELF, but not really")
    binary.chmod(0o755)
    with pytest.raises(CodexMissingError, match=f"^{binary} cannot be run: .*Exec format error"):
        probe(binary)
