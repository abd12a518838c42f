"""Many turns at once, each with its own app-server.

In ChatGPT mode, as subscribers run them: codex then does more than twice as much for a turn as with a custom provider.
"""

from __future__ import annotations

from collections.abc import Iterator

from bench.measure import alternate, in_s
from bench.scale import Scale
from bench.table import Row
from bench.world import TRIVIAL, World, turn_of
from codex_server_cli.demo.codex_home import write_chatgpt_login


def crowd(world: World, scale: Scale) -> Iterator[Row]:
    """From the first `new` until the last turn is over, beside one bare process that drives as many turns."""
    codex_home = world.root / "codex-chatgpt"
    write_chatgpt_login(codex_home, world.model_origin)
    env = world.homes(world.home, codex_home)
    world.bare(1, TRIVIAL, env)  # codex creates its databases

    def start_all() -> None:
        commands = [world.popen(world.command, "new", TRIVIAL, env=env) for _ in range(scale.at_once)]
        turns = [turn_of(command.communicate()[0]) for command in commands]
        for turn in turns:
            world.await_end(turn)

    ours, bare = alternate(scale.rounds, start_all, lambda: world.bare(scale.at_once, TRIVIAL, env))
    what = f"{scale.at_once} turns at once, spawned, ChatGPT mode"
    yield Row(what, in_s(ours), in_s(bare, "bare driver"), max_ratio=1.15)
