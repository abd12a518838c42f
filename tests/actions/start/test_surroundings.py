"""When a start looks at what would end its worker, and that each kind of it is told once in a home."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from codex_server_cli.actions.start import checks
from codex_server_cli.core.model.surroundings import ENDING_OF_LOGOUT, Ending
from codex_server_cli.settings.environment import JOB_VARIABLES
from codex_server_cli.settings.places import Settings

SERVICE = Ending("service", "nightly.service", "use --wait")
LOGIN = Ending("login", "this login", "loginctl enable-linger")
SCOPE = "0::/user.slice/user-1000.slice/session-3.scope\n"


class FakeSurroundings:
    """Where the process is: the text of its cgroups, and what would end its worker there.

    Attributes:
        looks: how often that was looked at.
    """

    def __init__(self, settings: Settings, cgroups: Path) -> None:
        self.settings, self.cgroups, self.looks = settings, cgroups, 0
        self.found: Ending | None = None

    def find_ending(self, *_: object) -> Ending | None:
        self.looks += 1
        return self.found

    def warning(self) -> str | None:
        return checks.warn_of_surroundings(self.settings)


@pytest.fixture
def place(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSurroundings:
    settings.home.mkdir()
    place = FakeSurroundings(settings, tmp_path / "cgroup")
    monkeypatch.setattr(checks, "_CGROUPS", str(place.cgroups))
    monkeypatch.setattr("codex_server_cli.disk.machine.surroundings.find_ending", place.find_ending)
    for name in JOB_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return place


@pytest.mark.parametrize("cgroups", ["0::/\n", "0::/user.slice/user-1000.slice/user@1000.service/app.slice/a.scope\n"])
def test_where_no_service_and_no_login_is_there_is_nothing_to_look_at(place: FakeSurroundings, cgroups: str) -> None:
    assert place.warning() is None  # no such file: no /proc
    place.cgroups.write_text(cgroups)
    assert place.warning() is None
    assert place.looks == 0
    assert list(place.settings.home.iterdir()) == []


def test_a_service_is_warned_of_once_in_a_home_and_a_login_apart_from_it(place: FakeSurroundings) -> None:
    place.cgroups.write_text("0::/system.slice/nightly.service\n")
    place.found = SERVICE
    assert place.warning() == "this turn ends with nightly.service: use --wait"
    assert place.warning() is None
    place.cgroups.write_text(SCOPE)
    place.found = LOGIN
    assert place.warning() == "this turn ends with this login: loginctl enable-linger"
    assert place.warning() is None
    assert {path.name for path in place.settings.home.iterdir()} == {".warned-service", ".warned-login"}


def test_a_login_that_ends_nothing_is_looked_at_once_a_day(place: FakeSurroundings) -> None:
    place.cgroups.write_text(SCOPE)
    for found in (None, ENDING_OF_LOGOUT):
        place.looks, place.found = 0, found
        assert [place.warning() for _ in range(3)] == [None, None, None]
        assert place.looks == 1
        stamp = place.settings.home / checks.LOGIN_STAMP
        os.utime(stamp, (0, stamp.stat().st_mtime - 90_000))


def test_a_stamp_from_the_future_does_not_count(place: FakeSurroundings) -> None:
    place.cgroups.write_text(SCOPE)
    (place.settings.home / checks.LOGIN_STAMP).touch()
    assert (place.warning(), place.looks) == (None, 0)
    os.utime(place.settings.home / checks.LOGIN_STAMP, (2**32, 2**32))
    assert (place.warning(), place.looks) == (None, 1)


def test_where_no_stamp_can_be_made_the_warning_is_given_all_the_same(place: FakeSurroundings) -> None:
    place.cgroups.write_text("0::/system.slice/nightly.service\n")
    place.found = SERVICE
    place.settings.home.rmdir()
    assert place.warning() is not None
    place.found = None
    assert place.warning() is None


def test_a_ci_job_is_looked_at_whatever_the_unit_is(place: FakeSurroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNNER_TRACKING_ID", "github_1")
    assert (place.warning(), place.looks) == (None, 1)
