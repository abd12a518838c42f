"""A turn whose directory is deleted while it runs: none of its processes stays."""

from __future__ import annotations

from codex_server_cli.demo.replies import say
from tests.kit.home import Home
from tests.kit.story import is_alive
from tests.kit.support import delete_tree, wait_until


def test_deleting_the_directory_of_a_running_turn_ends_all_that_runs_for_it(one_home: Home) -> None:
    turn, _ = one_home.start_held()
    worker = turn.worker()
    delete_tree(turn.path)
    wait_until(lambda: not is_alive(worker), what="the end of the worker")
    wait_until(lambda: one_home.left_running() == [], what="the end of codex")


def test_words_that_end_the_options_may_stand_before_the_verb(one_home: Home) -> None:
    one_home.model([say("done")])
    assert one_home.run("--", "new", "hi", "--wait").code == 0
