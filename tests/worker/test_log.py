"""The worker's own log: its failures never fail a turn."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SAY = "from codex_server_cli.worker.log import say; say('héllo \\udcff'); say('again'); print('alive')"


def test_its_words_are_whole_lines_in_its_log(tmp_path: Path) -> None:
    with (tmp_path / "worker.log").open("wb") as log:
        subprocess.run([sys.executable, "-c", SAY], stderr=log, stdout=subprocess.PIPE, check=True)
    assert (tmp_path / "worker.log").read_text("utf-8") == "héllo ?\nagain\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full disk to be had here")
def test_a_full_disk_costs_the_words_and_nothing_else() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([sys.executable, "-c", SAY], stderr=full, stdout=subprocess.PIPE, check=True)
    assert done.stdout == b"alive\n"
