"""The file system of a home, told from real lists of mounts."""

from __future__ import annotations

from codex_server_cli.core.model.mounts import advice_for, file_system_of
from tests.kit.cases import for_each

MOUNTS = r"""22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:21 / /dev/shm rw,nosuid shared:3 - tmpfs tmpfs rw
24 22 0:40 / /home rw shared:9 - nfs4 server:/export rw
25 24 0:41 / /home/ada/My\040Disk rw shared:10 - fuse.sshfs host: rw
26 24 8:2 / /home/ada/local rw - xfs /dev/sdb1 rw
27 26 8:3 / /home/ada/local rw - btrfs /dev/sdc1 rw
28 22 0:50 / /back\134slash rw - 9p drvfs rw
torn
"""
CONTAINER = "700 600 0:90 / / rw,relatime - overlay overlay rw\n701 700 254:1 /v /data rw - ext4 /dev/vda1 rw\n"


@for_each(
    ("path", "kind"),
    [
        ("/", "ext4"),
        ("/var/lib", "ext4"),
        ("/homeless", "ext4"),
        ("/dev/shm/h", "tmpfs"),
        ("/home", "nfs4"),
        ("/home/ada/.codex-server", "nfs4"),
        ("/home/ada/My Disk/h", "fuse.sshfs"),
        ("/home/ada/local/h", "btrfs"),
        ("/back\\slash", "9p"),
    ],
)
def test_the_innermost_mount_above_a_path_tells(path: str, kind: str) -> None:
    assert file_system_of(path, MOUNTS) == kind


def test_in_a_container_the_root_is_its_layer_and_a_volume_is_not() -> None:
    assert file_system_of("/root/.codex-server", CONTAINER) == "overlay"
    assert file_system_of("/data/home", CONTAINER) == "ext4"


def test_without_a_list_nothing_is_known() -> None:
    assert file_system_of("/", "") is None


@for_each(
    ("kind", "words"),
    [
        ("nfs4", "one machine"),
        ("fuse.sshfs", "one machine"),
        ("fuseblk", "one machine"),
        ("9p", "one machine"),
        ("overlay", "volume"),
        ("tmpfs", "volume"),
    ],
)
def test_a_file_system_of_another_machine_or_without_a_disk_has_its_advice(kind: str, words: str) -> None:
    assert words in advice_for(kind)


@for_each("kind", ["ext4", "xfs", "btrfs", "zfs", "apfs", "f2fs"])
def test_a_disk_of_this_machine_needs_none(kind: str) -> None:
    assert advice_for(kind) == ""
