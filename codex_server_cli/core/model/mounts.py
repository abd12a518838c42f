"""Which file system a directory is on, by the kernel's list of mounts, and what that means for a home. Pure."""

from __future__ import annotations

_NETWORK = {
    *("9p", "afs", "beegfs", "ceph", "cifs", "glusterfs", "gpfs", "lustre", "nfs", "nfs4", "smb3", "smbfs"),
    *("virtiofs", "vboxsf", "prl_fs"),
}
_PASSING = {"overlay", "ramfs", "tmpfs"}
_ESCAPES = {r"\040": " ", r"\011": "\t", r"\012": "\n", r"\134": "\\"}


def file_system_of(path: str, mount_table: str) -> str | None:
    """The type of the file system that a path is on; None if the list does not contain it.

    Args:
        path: absolute, without links.
        mount_table: `/proc/self/mountinfo`.
    """
    found: tuple[str, str] | None = None
    for line in mount_table.splitlines():
        place, _, source = line.partition(" - ")
        fields, kind = place.split(" "), source.partition(" ")[0]
        if len(fields) > 4 and kind:
            point = _unescape(fields[4])
            is_above = path == point or path.startswith(point.rstrip("/") + "/")
            if is_above and (found is None or len(point) >= len(found[0])):  # a later mount covers an earlier one
                found = point, kind
    return found[1] if found is not None else None


def advice_for(file_system: str) -> str:
    """Advice about a home on such a file system; empty if there is none."""
    if file_system in _NETWORK or file_system.startswith("fuse"):
        return "Use this home from one machine only, or set CODEX_SERVER_HOME to a local directory."
    if file_system in _PASSING:
        return "Its turns are gone after a restart of the machine or container: use a volume, if they must not be."
    return ""


def _unescape(text: str) -> str:
    for code, character in _ESCAPES.items():
        text = text.replace(code, character)
    return text
