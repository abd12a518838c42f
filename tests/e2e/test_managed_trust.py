"""A turn trusts no project: what the project itself would run stays unrun, whatever an administrator requires."""

from __future__ import annotations

import pytest

from tests.e2e.test_managed_permissions import Managed
from tests.kit.cases import in_full
from tests.kit.home import Home
from tests.kit.machine import needs_root

pytestmark = needs_root

LISTED = '[allowed_permission_profiles]\n":read-only" = true\n":workspace" = true\n'
WORKSPACE = f'default_permissions = ":workspace"\n{LISTED}'


class Untrusted:
    """An untrusted project on a managed machine: it names an MCP server that leaves a file when it runs."""

    def __init__(self, home: Home, requirements: str, own: str = "") -> None:
        self.managed = Managed(home)
        self.managed.requires_alone(requirements)
        self._config, self._evil = home.codex_home / "config.toml", home.root / "evil"
        self._config.write_text(f"{own}{self._config.read_text()}\n[permissions.mine]\nextends = ':workspace'\n")
        self._before = self._config.read_text()
        (home.project / ".codex").mkdir()
        server = f"[mcp_servers.evil]\ncommand = 'touch'\nargs = ['{self._evil}']\n"
        (home.project / ".codex" / "config.toml").write_text(server)

    def assert_untouched(self) -> None:
        """Assert that its server was not run and that it is not trusted now."""
        assert not self._evil.exists()
        assert self._config.read_text() == self._before


VERBS = [in_full(["new", "hi"]), in_full(["review", "--uncommitted"]), ["new", "hi", "--write"]]


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_a_turn_under_a_list_whose_default_profile_writes_trusts_no_project(home: Home, verb: list[str]) -> None:
    untrusted = Untrusted(home, WORKSPACE)
    assert untrusted.managed.run(*verb).code == 0
    untrusted.assert_untouched()
    assert ("\nmade\n" in untrusted.managed.output_of()) == ("--write" in verb)
    for number, options in (("2", []), ("3", ["--fork"])):
        assert untrusted.managed.run("continue", "go on", *options).code == 0
        untrusted.assert_untouched()
        assert "Read-only file system" in untrusted.managed.output_of(number)


@pytest.mark.full
@pytest.mark.parametrize("profile", [":workspace", "mine", "unlisted"])
def test_nor_does_one_whose_user_selects_a_profile_that_writes(home: Home, profile: str) -> None:
    listed = LISTED + ("mine = true\n" if profile == "mine" else "")
    own = f"default_permissions = '{profile if profile != 'unlisted' else 'mine'}'\n"
    untrusted = Untrusted(home, f'default_permissions = ":read-only"\n{listed}', own)
    assert untrusted.managed.run("new", "hi").code == 0
    assert "Read-only file system" in untrusted.managed.output_of()
    assert untrusted.managed.run("new", "hi", "--write").code == 0
    untrusted.assert_untouched()


def test_nor_does_a_turn_that_is_refused(home: Home) -> None:
    untrusted = Untrusted(home, WORKSPACE)
    assert untrusted.managed.run("new", "hi", "--network").json["error"]["kind"] == "sandbox"
    untrusted.assert_untouched()
