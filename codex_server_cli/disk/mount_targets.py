"""Removing what Codex's sandbox leaves in a project: empty directories that served only as mount targets.

Observed on 0.163.0 and 0.171.0 (Linux): while a command runs in a sandbox that may write, each writable root (the
working directory, those of `--add-dir`, `/tmp`, `$TMPDIR`) holds `.git`, `.agents`, `.codex` and `.aws`: a missing one
is created, empty, and hidden from the command. The process that runs the command removes it afterwards, unless it is
killed or leaves a command in the background. Codex's register lists the users of a target: in the temporary directory
`codex-bwrap-synthetic-mount-targets-<uid>/<hash of the path>/<pid>`, holding `synthetic` or `existing`, changed under
the flock of its `lock`. A path that the user's own permission profile denies is shielded likewise wherever a command
may write, also one with approval in a read-only turn: where the path is missing, an empty file without write
permission takes the place of the first missing directory, or file, of the path.

Owns the note of what was missing before a turn (`mounts.json` in its directory, while it runs), and the removal of what
was created since, by the worker or its repairer. Must never remove what existed before, what is not empty, or what is
in use: removing a target during a command removes the mount, and with it the protection.
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
        path: without symlinks.
        identity: device and inode: the path may later name another directory.
    """

    path: str
    identity: tuple[int, int]
    missing: tuple[str, ...]


class Note(NamedTuple):
    """What to clean up at the end of a turn.

    Attributes:
        registers: the directories where Codex registers the users of mount targets.
        roots: where missing directories may be created.
        denied: where missing files may be created.
    """

    registers: tuple[str, ...]
    roots: tuple[Root, ...] = ()
    denied: tuple[Root, ...] = ()

    def has(self, root: str, name: str) -> bool:
        """Whether this turn began before that directory, or file, was created."""
        return any(each.path == root and name in each.missing for each in (*self.roots, *self.denied))


def note(turn: TurnDir, directories: Iterable[str], temporary: Iterable[str]) -> Note:
    """Record what is missing now, before Codex starts.

    What exists only for another turn, or for another Codex that runs a command, counts as missing: the last one that
    works there removes it.

    Args:
        directories: the directories that the turn may write.
        temporary: the temporary directories, which it may write, too, and which hold Codex's registers.

    Raises:
        OSError: the note cannot be written.
    """
    places, registers = [*directories, *temporary], tuple(_register_in(each) for each in temporary)
    with _locked(registers):
        others = _notes(turn, only_living=False)
        roots = [_inspect(root, registers, others) for root in dict.fromkeys(map(os.path.realpath, places))]
        found = Note(registers, tuple(root for root in roots if root is not None))
        _write(turn, found)
    return found


def note_denied(turn: TurnDir, paths: Iterable[str], temporary: Iterable[str]) -> None:
    """Also record which of these paths are missing now, before a command runs to which they are denied.

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
    with _locked(noted.registers):
        others = _notes(turn, only_living=False)
        found = [_inspect(folder, noted.registers, others, (name,)) for folder, name in places]
        denied = tuple(root for root in found if root is not None and root.missing)
        if denied:
            _write(turn, noted._replace(denied=denied))


def _place_of(path: str) -> tuple[str, str] | None:
    """The directory and the name at which Codex would shield a path; None for an existing directory."""
    folder = ""
    for name in filter(None, os.path.expanduser(path).split("/")):  # noqa: PTH111 — a missing home is no error
        if not os.path.isdir(f"{folder}/{name}"):  # noqa: PTH112 — pathlib raises for names that no directory can have
            return os.path.realpath(folder or "/"), name
        folder = f"{folder}/{name}"
    return None


def _write(turn: TurnDir, found: Note) -> None:
    write_json(_path_of(turn), {"version": 1, **found._asdict()})


def _inspect(root: str, registers: tuple[str, ...], others: list[Note], names: tuple[str, ...] = NAMES) -> Root | None:
    try:
        info = Path(root).stat()
    except OSError:  # `$TMPDIR` may name a missing one, or another user's
        return None
    missing = [name for name in names if _is_missing(root, name, registers, others)]
    return Root(root, (info.st_dev, info.st_ino), tuple(missing))


def _is_missing(root: str, name: str, registers: tuple[str, ...], others: list[Note]) -> bool:
    path = f"{root}/{name}"
    if any(other.has(root, name) for other in others) or not os.path.lexists(path):
        return True
    return any(content == _SYNTHETIC for content in _owners(registers, path))


def clean(turn: TurnDir, noted: Note | None = None) -> None:
    """Remove what was created since the note, once no process of the turn runs. Does nothing without a note.

    Args:
        noted: as `note` returned it, for a turn whose directory is gone.
    """
    noted = _read(turn) or noted
    if noted is None:
        return
    places = [(root, name, False) for root in noted.roots for name in root.missing]
    places += [(root, name, True) for root in noted.denied for name in root.missing]
    found = [place for place in places if os.path.lexists(f"{place[0].path}/{place[1]}")]
    with _locked(noted.registers if found else ()) as is_locked:
        with contextlib.suppress(OSError):  # a read-only or deleted home
            _path_of(turn).unlink()
        others = _notes(turn, only_living=True) if found else []
        for root, name, is_file in found if is_locked else ():
            is_used = any(other.has(root.path, name) for other in others)
            if not is_used and not _owners(noted.registers, f"{root.path}/{name}"):
                _remove(root, name, is_file=is_file)


def _remove(root: Root, name: str, *, is_file: bool) -> None:
    with contextlib.suppress(OSError):  # not a directory, not empty, or gone
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
    """Whether this is a file as Codex creates it in place of a denied path.

    The register alone is not enough: of two processes that run a command there, the second may register the file as
    `existing` (observed on 0.163.0). No command of the turn can have created a denied path.
    """
    return stat.S_ISREG(info.st_mode) and info.st_size == 0 and not info.st_mode & 0o333


# --- the notes


def _path_of(turn: TurnDir) -> Path:
    return turn.path / "mounts.json"


def _read(turn: TurnDir) -> Note | None:
    """The note of a turn; None where it is missing or malformed: a turn may be able to write in the home, and a forged
    note must not make other turns fail. Only those names in it are removed that Codex creates.
    """
    value = read_json(_path_of(turn))
    try:
        if value is None:
            return None
        roots = [root._replace(missing=_codex_names(root.missing)) for root in map(_read_root, value["roots"])]
        return Note(_texts(value["registers"]), tuple(roots), tuple(map(_read_root, value.get("denied") or ())))
    except (KeyError, TypeError, ValueError):
        return None


def _codex_names(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in names if name in NAMES)


def _read_root(value: Any) -> Root:
    path, (device, inode), missing = value
    return Root(_texts([path])[0], (int(device), int(inode)), _texts(missing))


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise TypeError(value)
    return tuple(value)


def _notes(turn: TurnDir, *, only_living: bool) -> list[Note]:
    """The notes of the other running turns, and of the dead ones that are not repaired yet."""
    turns_path = turn.path.parent
    names = queue.holders(queue.folder_of(turns_path), only_living=only_living)
    found = (_read(TurnDir(turns_path / name)) for name in names if name != turn.turn_id)
    return [each for each in found if each is not None]


# --- Codex's registers


def _register_in(temporary: str) -> str:
    return f"{temporary}/codex-bwrap-synthetic-mount-targets-{os.geteuid()}"


@contextlib.contextmanager
def _locked(registers: Iterable[str]) -> Iterator[bool]:
    """Lock these registers against Codex and our other turns; yields whether all locks were taken."""
    with contextlib.ExitStack() as stack:
        is_locked = True
        for register in sorted(registers):
            try:
                fd = open_regular(f"{register}/lock")
            except FileNotFoundError:
                continue  # no command has ever run in a sandbox here
            except OSError:  # another user's file, or no free file descriptor
                is_locked = False
                continue
            stack.callback(os.close, fd)
            is_locked = lock.take(fd, _LOCK_TIMEOUT_S) and is_locked
        yield is_locked


def _owners(registers: Iterable[str], path: str) -> list[bytes]:
    """The register entry of each living process that uses a mount target."""
    found = []
    for register in registers:
        folder = f"{register}/{_hash_of(path):016x}"
        try:
            names = os.listdir(folder)  # noqa: PTH208 — names, not paths
        except OSError:  # never used, or just removed
            continue
        found += [_content_of(f"{folder}/{name}") for name in names if name.isdecimal() and _is_alive(int(name))]
    return found


def _is_alive(pid: int) -> bool:
    return process_identity(pid) != (None, None)


def _content_of(path: str) -> bytes:
    with contextlib.suppress(OSError):  # just removed by its process, or not a regular file
        return read_bytes(Path(path), max_bytes=len(_SYNTHETIC))
    return b""


def _hash_of(path: str) -> int:
    """Codex's hash of a path: FNV-1a, 64 bits (observed on 0.163.0 and 0.171.0)."""
    value = 0xCBF29CE484222325
    for byte in os.fsencode(path):
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value
