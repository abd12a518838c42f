"""Pairing a device, waiting for it, the paired ones, and taking one its access."""

from __future__ import annotations

import time

import pytest

from codex_server_cli.actions.remote import devices, switch
from codex_server_cli.core.account import remote as queries
from codex_server_cli.core.account.remote import PairingCode
from codex_server_cli.errors import AmbiguousError, BadInputError, CodexServerError, Exit, NotFoundError, ServerError
from codex_server_cli.settings.places import Settings
from tests.actions.remote.conftest import OneServer
from tests.kit.remote_backend import RemoteBackend
from tests.kit.support import DEADLINE_S, wait_until


class Pairing:
    """One call of `pair`: what it showed, and what it warned of."""

    def __init__(self, settings: Settings, reach: OneServer) -> None:
        self._settings, self._reach = settings, reach
        self.codes: list[PairingCode] = []
        self.warnings: list[str] = []

    def __call__(self, *, is_manual: bool = True, waits: bool = False, timeout_s: float | None = None) -> bool:
        return devices.pair(
            *(self._settings, self._reach, self.codes.append, self.warnings.append),
            is_manual=is_manual,
            waits=waits,
            timeout_s=timeout_s,
        )


@pytest.fixture
def pair(settings: Settings, reach: OneServer) -> Pairing:
    return Pairing(settings, reach)


@pytest.fixture
def is_on(settings: Settings, reach: OneServer) -> None:
    switch.enable_remote(settings, reach)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_POLL_S", 0.05)


@pytest.mark.usefixtures("is_on")
def test_a_code_is_shown_and_waited_for(pair: Pairing, backend: RemoteBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    assert pair() is False
    assert pair(is_manual=False) is False
    assert pair(waits=True, timeout_s=0.2) is False
    short, long, _ = pair.codes
    assert (short.to_type, long.manual_code) == ("ABCD-EFGH", None)
    assert long.to_type.startswith("pair-")
    asked: list[int] = []

    def claim_at_third_look(seconds: float) -> None:
        asked.append(1)
        backend.is_claimed = len(asked) == 2

    monkeypatch.setattr(time, "sleep", claim_at_third_look)
    assert pair(waits=True) is True
    assert len(asked) == 2
    assert pair.warnings == []


@pytest.mark.usefixtures("is_on")
def test_a_code_that_expires_is_not_waited_for_longer(pair: Pairing, backend: RemoteBackend) -> None:
    backend.code_lasts_s = 1.0
    with pytest.raises(NotFoundError, match="has expired, and no device has claimed it") as caught:
        pair(waits=True)
    assert caught.value.hint == "codex-server remote pair"


@pytest.mark.usefixtures("is_on")
def test_a_service_that_fails_for_a_moment_is_asked_again(pair: Pairing, backend: RemoteBackend) -> None:
    backend.broken["claim"] = 500
    assert pair(waits=True, timeout_s=0.5) is False
    assert len(pair.warnings) == 1
    assert "service fails: HTTP 500" in pair.warnings[0]
    backend.broken["claim"] = 404
    with pytest.raises(NotFoundError, match="does not know this pairing code any more"):
        pair(waits=True)


@pytest.mark.usefixtures("is_on")
def test_a_server_that_ends_meanwhile_is_not_waited_for(
    reach: OneServer, pair: Pairing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _seconds: reach.die())
    with pytest.raises(ServerError, match="the shared server has ended meanwhile"):
        pair(waits=True)


REFUSALS = {
    401: (1, "gives no pairing code"),
    403: (1, "gives no pairing code"),
    404: (1, "gives no pairing code"),
    429: (75, "too many requests"),
    500: (75, "service fails: HTTP 500"),
    200: (1, "does not understand what ChatGPT answered about a pairing code"),
}


@pytest.mark.usefixtures("is_on")
def test_a_refused_code_says_why(pair: Pairing, backend: RemoteBackend) -> None:
    for status in (429, 500, 200, 403):  # after 401, 403 and 404 Codex enrolls anew
        backend.broken["pair"] = status
        exit_code, message = REFUSALS[status]
        with pytest.raises(CodexServerError) as caught:
            pair()
        assert message in caught.value.message, status
        assert caught.value.exit_code == Exit(exit_code)
    assert pair.codes == []


@pytest.mark.full
@pytest.mark.usefixtures("is_on")
@pytest.mark.parametrize("status", [401, 404])
def test_codex_keeps_a_refusal_to_itself(pair: Pairing, backend: RemoteBackend, status: int) -> None:
    backend.broken["pair"] = status
    with pytest.raises(CodexServerError, match=REFUSALS[status][1]):
        pair()


@pytest.mark.full
@pytest.mark.usefixtures("is_on")
def test_a_device_may_pair_while_the_connection_is_refused_and_is_warned(
    settings: Settings, reach: OneServer, pair: Pairing, backend: RemoteBackend
) -> None:
    backend.broken["connect"] = 401
    backend.drop()
    with reach(settings, starts=False) as server:
        assert server is not None
        wait_until(
            lambda: server.run(queries.ask_status(), DEADLINE_S).state == "errored", what="the refused connection"
        )
    assert pair() is False
    assert "is not connected to ChatGPT just now" in pair.warnings[0]


def test_nothing_is_started_to_pair_a_device_where_it_is_off(
    settings: Settings, reach: OneServer, pair: Pairing
) -> None:
    for ask in (pair, lambda: devices.read_clients(settings, reach), lambda: devices.revoke(settings, reach, "cl_1")):
        with pytest.raises(BadInputError, match="remote control is not on") as caught:
            ask()
        assert caught.value.hint == "codex-server remote enable"
    assert reach.starts == 0


def test_a_server_that_runs_with_it_off_is_told_alike(settings: Settings, reach: OneServer, pair: Pairing) -> None:
    with reach(settings, starts=True):
        pass
    for ask in (pair, lambda: devices.read_clients(settings, reach)):
        with pytest.raises(BadInputError, match="remote control is not on"):
            ask()


def test_where_it_is_kept_on_the_server_is_started_and_does_not_wait_for_its_keeper(
    settings: Settings, reach: OneServer, pair: Pairing
) -> None:
    settings.config_path.write_text('{"remote_control": true}')
    pair()
    assert (reach.starts, len(pair.codes), pair.warnings) == (1, 1, [])


def test_one_that_is_refused_says_why_and_makes_no_code(
    settings: Settings, reach: OneServer, pair: Pairing, backend: RemoteBackend
) -> None:
    settings.config_path.write_text('{"remote_control": true}')
    backend.broken["enroll"] = 403
    for ask in (pair, lambda: devices.read_clients(settings, reach)):
        with pytest.raises(CodexServerError, match="does not give this account remote control"):
            ask()
    assert pair.codes == []


@pytest.mark.usefixtures("is_on")
def test_devices_are_listed_and_one_is_unpaired(settings: Settings, reach: OneServer, backend: RemoteBackend) -> None:
    found = devices.read_clients(settings, reach)
    assert [(each.client_id, each.name, each.platform) for each in found] == [
        ("cl_1", "My phone", "ios"),
        ("cl_2", "My tablet", "android"),
    ]
    assert devices.revoke(settings, reach, "my TABLET") == found[1]
    assert devices.read_clients(settings, reach) == found[:1]
    assert devices.revoke(settings, reach, "cl_").client_id == "cl_1"
    assert devices.read_clients(settings, reach) == []


@pytest.mark.usefixtures("is_on")
def test_a_device_that_is_none_or_several_is_not_unpaired(
    settings: Settings, reach: OneServer, backend: RemoteBackend
) -> None:
    with pytest.raises(AmbiguousError, match="2 paired devices are called 'cl_'") as caught:
        devices.revoke(settings, reach, "cl_")
    assert caught.value.hint == "Give the id: cl_1, cl_2"
    for wanted in ("", "cl_3"):
        with pytest.raises(NotFoundError, match="no paired device is called"):
            devices.revoke(settings, reach, wanted)
    assert len(backend.devices) == 2


@pytest.mark.usefixtures("is_on")
def test_a_refused_list_says_why(settings: Settings, reach: OneServer, backend: RemoteBackend) -> None:
    for status, exit_code in ((401, 2), (403, 1), (404, 66), (429, 75), (500, 75)):
        backend.broken["clients"] = status
        with pytest.raises(CodexServerError, match=f"HTTP {status}") as caught:
            devices.read_clients(settings, reach)
        assert caught.value.exit_code == Exit(exit_code)
