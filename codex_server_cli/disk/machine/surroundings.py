"""What would end a worker that we start, according to the machine's files. Owns which files are read.

Without `/proc` or systemd (macOS, most containers) nothing is found. Reads only; starts no process: `systemctl show`
takes longer than the start of a turn.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator, Mapping
from pathlib import Path

from codex_server_cli.core.model import surroundings
from codex_server_cli.core.model.surroundings import Ending, Unit

_SYSTEM_UNITS = (
    *("run/systemd/transient", "etc/systemd/system", "run/systemd/system", "run/systemd/generator"),
    *("usr/local/lib/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"),
)
_USER_UNITS = (
    *("etc/systemd/user", "run/systemd/user", "usr/local/lib/systemd/user", "usr/lib/systemd/user"),
    "lib/systemd/user",
)
_LOGIND = ("etc/systemd", "run/systemd", "usr/local/lib/systemd", "usr/lib/systemd", "lib/systemd")


def find_ending(variables: Mapping[str, str], user_home: Path, root: Path = Path("/")) -> Ending | None:
    """What would end a worker that this process starts; None where nothing is known that would.

    Args:
        variables: the environment variables that show a CI job.
        user_home: has the user's own units.
        root: the root of the file system.
    """
    found = surroundings.ending_of_job(variables)
    if found is not None:
        return found
    unit = surroundings.unit_of(_text(root / "proc/self/cgroup"))
    if unit is None:
        return None
    if surroundings.is_own_service(unit):
        texts = list(_unit_texts(unit, user_home, root))
        found = surroundings.ending_of_service(unit, texts) if texts else None  # no file: nothing is known about it
    elif surroundings.is_login(unit):
        found = surroundings.ending_of_login(_logind_texts(root), _name_of(os.getuid()))
    if found is None and unit.uid is not None and not _lingers(unit.uid, root):
        return surroundings.ENDING_OF_LOGOUT
    return found


def _unit_texts(unit: Unit, user_home: Path, root: Path) -> Iterator[str]:
    """The unit's file and its drop-ins; nothing where it has no file, as some units that a generator made."""
    folders = [root / place for place in (_SYSTEM_UNITS if unit.uid is None else _USER_UNITS)]
    if unit.uid is not None:
        runtime = root / "run/user" / unit.uid / "systemd"
        folders = [runtime / "transient", user_home / ".config/systemd/user", runtime / "user", *folders]
        folders.append(user_home / ".local/share/systemd/user")
    template, at, _ = unit.name.partition("@")
    names = [unit.name, f"{template}@.service"] if at else [unit.name]
    main = next((path for name in names for folder in folders if _is_file(path := folder / name)), None)
    if main is not None:
        yield _text(main)
        yield from _drop_ins([folder / f"{name}.d" for name in (*names, "service") for folder in folders])


def _logind_texts(root: Path) -> Iterator[str]:
    folders = [root / place for place in _LOGIND]
    main = next((path for folder in folders if _is_file(path := folder / "logind.conf")), None)
    if main is not None:
        yield _text(main)
    yield from _drop_ins([folder / "logind.conf.d" for folder in folders])


def _drop_ins(folders: list[Path]) -> Iterator[str]:
    """The drop-ins in the order of their names; of two with the same name, the one in the earlier folder counts."""
    paths: dict[str, Path] = {}
    for folder in folders:
        for path in folder.glob("*.conf"):
            paths.setdefault(path.name, path)
    yield from (_text(paths[name]) for name in sorted(paths))


def _lingers(uid: str, root: Path) -> bool:
    return uid.isdecimal() and _is_file(root / "var/lib/systemd/linger" / _name_of(int(uid)))


def _is_file(path: Path) -> bool:
    return os.path.isfile(path)  # noqa: PTH113 — pathlib raises where we have no permission


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return str(uid)


def _text(path: Path) -> str:
    if not _is_file(path):  # a FIFO would block
        return ""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(64 * 1024)
    except OSError:  # we may not read it
        return ""
