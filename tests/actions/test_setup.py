"""What `setup` writes: a valid pin is kept, an invalid one is replaced."""

from __future__ import annotations

from pathlib import Path

from codex_server_cli.actions.system import setup
from codex_server_cli.disk.files import read_json, write_json
from codex_server_cli.settings.places import Settings
from tests.fakes import codex as fake


def test_a_pin_that_is_still_usable_is_kept_and_one_that_is_gone_is_made_anew(
    settings: Settings, tmp_path: Path
) -> None:
    (settings.codex_home / "state.sqlite").touch()  # initialised: no app-server need answer
    on_path, pinned = [fake.write(tmp_path / folder / "codex", "exits") for folder in ("bin", "pinned")]
    settings = settings._replace(search_path=str(on_path.parent))
    settings.home.mkdir()
    write_json(settings.config_path, {"codex": str(pinned), "model": "gpt"})
    kept = setup(settings)
    assert (kept.codex.path, kept.is_newly_pinned) == (pinned, False)
    assert read_json(settings.config_path) == {"codex": str(pinned), "model": "gpt"}
    pinned.unlink()
    anew = setup(settings)
    assert (anew.codex.path, anew.is_newly_pinned) == (on_path, True)
    assert read_json(settings.config_path) == {"codex": str(on_path), "model": "gpt"}
