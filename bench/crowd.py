"""Many concurrent turns, each with its own app-server: in ChatGPT mode, as subscribers run them, and with a custom
provider, for which codex does less than half as much work for a turn, so that our own part is more visible.
"""

from __future__ import annotations

from collections.abc import Iterator

from bench.measure import alternate, in_s
from bench.scale import Scale
from bench.table import Row
from bench.world import TRIVIAL, World, turn_of
from codex_server_cli.demo.codex_home import write_chatgpt_login


def crowd(world: World, scale: Scale) -> Iterator[Row]:
    """From the first `new` until the last turn is over, compared with one bare process that drives as many turns."""
    chatgpt_home = world.root / "codex-chatgpt"
    write_chatgpt_login(chatgpt_home, world.model_origin)
    for mode, codex_home in (("ChatGPT mode", chatgpt_home), ("a provider of one's own", world.codex_home)):
        yield _row(world, scale, mode, world.homes(world.home, codex_home))


def _row(world: World, scale: Scale, mode: str, env: dict[str, str]) -> Row:
    world.bare(1, TRIVIAL, env)  # codex creates its databases
    ours, bare = alternate(
        scale.rounds, lambda: start_all(world, scale, env), lambda: world.bare(scale.at_once, TRIVIAL, env)
    )
    what = f"{scale.at_once} turns at once, spawned, {mode}"
    return Row(what, in_s(ours), in_s(bare, "bare driver"), max_ratio=1.2)


def start_all(world: World, scale: Scale, env: dict[str, str], *options: str) -> None:
    """Start the turns, each with a separate `new`, and wait until all are over."""
    commands = [world.popen(world.command, "new", *options, TRIVIAL, env=env) for _ in range(scale.at_once)]
    turns = [turn_of(command.communicate()[0]) for command in commands]
    for turn in turns:
        world.await_end(turn)
