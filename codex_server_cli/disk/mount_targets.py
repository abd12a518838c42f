"""What Codex's sandbox leaves in a project: empty directories that were only there to mount something over.

Observed on 0.163.0 and 0.171.0 (Linux): while a command runs in a sandbox that may write, each writable root (the
working directory, those of `--add-dir`, `/tmp`, `$TMPDIR`) holds `.git`, `.agents`, `.codex` and `.aws`: where one is
missing it is made, empty, and hidden from the command. Whoever runs the command removes it afterwards; killed, or with
a command left in the background, it does not. Its register tells who uses one: in the temporary directory
`codex-bwrap-synthetic-mount-targets-<uid>/<hash of the path>/<pid>`, holding `synthetic` or `existing`, changed under
the flock of its `lock`. What a permission profile of the user's own denies by its path is shielded likewise wherever
a command may write, with approval in a turn that may not, too: where it is missing, an empty file that nobody may write
stands in the place of the first directory, or file, of its path that is missing.

Owns the note of what was missing before a turn (`mounts.json` in its directory, while it runs), and the removal of what
came since, by the worker or its repairer. Must never remove what was there before, what holds anything, or what is in
use: removed in the middle of a command a mount is gone, and with it what it protects.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from codex_server_cli.disk import lock
from codex_server_cli.disk.files import read_bytes, read_json, write_json
from codex_server_cli.disk.process import process_identity
from codex_server_cli.disk.queue import queue
from codex_server_cli.disk.safe_open import open_regular
from codex_server_cli.disk.turn.layout import TurnDir

NAMES = (".git", ".agents", ".codex", ".aws")
_LOCK_TIMEOUT_S = 1.0
_SYNTHETIC = b"synthetic\n"


class Root(NamedTuple):
    """A directory that a turn may write, and which of `NAMES` were missing in it before the turn.

    Attributes:
        path: without links.
        identity: device and inode: another directory may come to stand at the same path.
    """

    path: str
    identity: tuple[int, int]
    missing: tuple[str, ...]


class Note(NamedTuple):
    """What to look after at the end of a turn.

    Attributes:
        registers: the places where Codex tells who uses what.
        roots: where directories may come that were missing.
        denied: where files may.
    """

    registers: tuple[str, ...]
    roots: tuple[Root, ...] = ()
    denied: tuple[Root, ...] = ()

    def has(self, root: str, name: str) -> bool:
        """Whether this turn came before that directory, or file, did."""
        return any(each.path == root and name in each.missing for each in (*self.roots, *self.denied))


def note(turn: TurnDir, directories: Iterable[str], temporary: Iterable[str]) -> Note:
    """Write down what is missing now, before Codex starts.

    What is there for the sake of another turn, or of another Codex that runs a command, counts as missing: whoever is
    the last to work there removes it.

    Args:
        directories: what the turn may write, by name.
        temporary: the temporary directories, which it may write, too, and where Codex's registers are.

    Raises:
        OSError: the note cannot be written.
    """
    places, registers = [*directories, *temporary], tuple(_register_in(each) for each in temporary)
    with _held(registers):
        others = _notes(turn, only_living=False)
        roots = [_look_at(root, registers, others) for root in dict.fromkeys(map(os.path.realpath, places))]
        found = Note(registers, tuple(root for root in roots if root is not None))
        _write(turn, found)
    return found


def note_denied(turn: TurnDir, paths: Iterable[str], temporary: Iterable[str]) -> None:
    """Write down, too, what of these is missing now, before a command runs that it is denied to.

    Args:
        paths: absolute, or `~/…`.
        temporary: as of `note`.

    Raises:
        OSError: the note cannot be written.
    """
    if sys.platform != "linux":
        return
    noted = _read(turn) or Note(tuple(_register_in(each) for each in temporary))
    places = dict.fromkeys(filter(None, map(_place_of, paths)))
    with _held(noted.registers):
        others = _notes(turn, only_living=False)
        found = [_look_at(folder, noted.registers, others, (name,)) for folder, name in places]
        denied = tuple(root for root in found if root is not None and root.missing)
        if denied:
            _write(turn, noted._replace(denied=denied))


def _place_of(path: str) -> tuple[str, str] | None:
    """The directory and the name at which Codex would shield a path; None where it is a directory that exists."""
    folder = ""
    for name in filter(None, os.path.expanduser(path).split("/")):  # noqa: PTH111 — a missing home is no error
        if not os.path.isdir(f"{folder}/{name}"):  # noqa: PTH112 — pathlib raises for names that no directory can have
            return os.path.realpath(folder or "/"), name
        folder = f"{folder}/{name}"
    return None


def _write(turn: TurnDir, found: Note) -> None:
    write_json(_path_of(turn), {"version": 1, **found._asdict()})


def _look_at(root: str, registers: tuple[str, ...], others: list[Note], names: tuple[str, ...] = NAMES) -> Root | None:
    try:
        info = Path(root).stat()
    except OSError:  # `$TMPDIR` may name none; or another user's
        return None
    missing = [name for name in names if _is_missing(root, name, registers, others)]
    return Root(root, (info.st_dev, info.st_ino), tuple(missing))


def _is_missing(root: str, name: str, registers: tuple[str, ...], others: list[Note]) -> bool:
    path = f"{root}/{name}"
    if any(other.has(root, name) for other in others) or not os.path.lexists(path):
        return True
    return any(content == _SYNTHETIC for content in _owners(registers, path))


def clean(turn: TurnDir, noted: Note | None = None) -> None:
    """Remove what came since the note, once nothing of the turn runs any more. Does nothing where there is no note.

    Args:
        noted: as `note` returned it, for a turn whose directory is gone.
    """
    noted = _read(turn) or noted
    if noted is None:
        return
    places = [(root, name, False) for root in noted.roots for name in root.missing]
    places += [(root, name, True) for root in noted.denied for name in root.missing]
    found = [place for place in places if os.path.lexists(f"{place[0].path}/{place[1]}")]
    with _held(noted.registers if found else ()) as is_held:
        with contextlib.suppress(OSError):  # a read-only home, or one that was deleted
            _path_of(turn).unlink()
        others = _notes(turn, only_living=True) if found else []
        for root, name, is_file in found if is_held else ():
            is_used = any(other.has(root.path, name) for other in others)
            if not is_used and not _owners(noted.registers, f"{root.path}/{name}"):
                _remove(root, name, is_file=is_file)


def _remove(root: Root, name: str, *, is_file: bool) -> None:
    with contextlib.suppress(OSError):  # it is no directory, holds something, or is gone
        fd = os.open(root.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            info = os.fstat(fd)
            if (info.st_dev, info.st_ino) == root.identity:
                if not is_file:
                    os.rmdir(name, dir_fd=fd)
                elif _is_shield(os.stat(name, dir_fd=fd, follow_symlinks=False)):
                    os.unlink(name, dir_fd=fd)
        finally:
            os.close(fd)


def _is_shield(info: os.stat_result) -> bool:
    """Whether this is such a file as Codex makes in the place of what is denied.

    Its register does not always tell: of two that run a command there the second may take it for one that was there
    (observed on 0.163.0), and what is denied no command of the turn can have made.
    """
    return stat.S_ISREG(info.st_mode) and info.st_size == 0 and not info.st_mode & 0o333


# --- the notes


def _path_of(turn: TurnDir) -> Path:
    return turn.path / "mounts.json"


def _read(turn: TurnDir) -> Note | None:
    """The note of a turn; None where it has none, or one of another shape: a home may lie where a turn writes, and what
    is put into the note of one turn must not fail the others. Of what is named there only what Codex makes is removed.
    """
    value = read_json(_path_of(turn))
    try:
        if value is None:
            return None
        roots = [root._replace(missing=_of_codex(root.missing)) for root in map(_read_root, value["roots"])]
        return Note(_texts(value["registers"]), tuple(roots), tuple(map(_read_root, value.get("denied") or ())))
    except (KeyError, TypeError, ValueError):
        return None


def _of_codex(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in names if name in NAMES)


def _read_root(value: Any) -> Root:
    path, (device, inode), missing = value
    return Root(_texts([path])[0], (int(device), int(inode)), _texts(missing))


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise TypeError(value)
    return tuple(value)


def _notes(turn: TurnDir, *, only_living: bool) -> list[Note]:
    """The notes of the other turns that run, or that died and are not repaired yet."""
    turns_path = turn.path.parent
    names = queue.holders(queue.folder_of(turns_path), only_living=only_living)
    found = (_read(TurnDir(turns_path / name)) for name in names if name != turn.turn_id)
    return [each for each in found if each is not None]


# --- Codex's registers


def _register_in(temporary: str) -> str:
    return f"{temporary}/codex-bwrap-synthetic-mount-targets-{os.geteuid()}"


@contextlib.contextmanager
def _held(registers: Iterable[str]) -> Iterator[bool]:
    """Keep Codex, and other turns of ours, from changing these registers; whether that could be had."""
    with contextlib.ExitStack() as stack:
        is_held = True
        for register in sorted(registers):
            try:
                fd = open_regular(f"{register}/lock")
            except FileNotFoundError:
                continue  # no command has ever run in such a sandbox
            except OSError:  # what another user put there, or no file to spare
                is_held = False
                continue
            stack.callback(os.close, fd)
            is_held = lock.take(fd, _LOCK_TIMEOUT_S) and is_held
        yield is_held


def _owners(registers: Iterable[str], path: str) -> list[bytes]:
    """What the register tells of each living process that uses a mount target."""
    found = []
    for register in registers:
        folder = f"{register}/{_hash_of(path):016x}"
        try:
            names = os.listdir(folder)  # noqa: PTH208 — names, not paths
        except OSError:  # nobody ever used this one, or it has just been removed
            continue
        found += [_content_of(f"{folder}/{name}") for name in names if name.isdecimal() and _is_alive(int(name))]
    return found


def _is_alive(pid: int) -> bool:
    return process_identity(pid) != (None, None)


def _content_of(path: str) -> bytes:
    with contextlib.suppress(OSError):  # its process has just removed it, or something else stands there
        return read_bytes(Path(path), max_bytes=len(_SYNTHETIC))
    return b""


def _hash_of(path: str) -> int:
    """Codex's name for a path: FNV-1a, 64 bits (observed on 0.163.0 and 0.171.0)."""
    value = 0xCBF29CE484222325
    for byte in os.fsencode(path):
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value
