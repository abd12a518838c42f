"""The model sees the pictures that existed when `new` answered, whatever happens to their files."""

from __future__ import annotations

import base64
import shlex
import stat
import subprocess
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.replies import bad_request, hold, say
from codex_server_cli.demo.scripted_model import ScriptedModel
from tests.kit.home import COMMAND, Home
from tests.kit.support import wait_until


def picture(colour: str, kind: str = "PNG") -> bytes:
    """Four pixels of one colour."""
    file = BytesIO()
    Image.new("RGB", (2, 2), colour).save(file, kind)
    return file.getvalue()


def put(home: Home, name: str, data: bytes) -> str:
    """A file outside of the project."""
    (home.root / name).write_bytes(data)
    return str(home.root / name)


def shown(model: ScriptedModel) -> list[bytes]:
    """The pictures of the last request."""
    parts = [part for item in model.model_requests[-1].body["input"] for part in item.get("content", ())]
    urls = [part["image_url"] for part in parts if part["type"] == "input_image"]
    return [base64.b64decode(url.partition(",")[2]) for url in urls]


RED, BLUE = picture("red"), picture("blue")


def test_pictures_reach_the_model_byte_by_byte_and_are_kept_with_the_turn(home: Home) -> None:
    model = home.model([say("two pictures")])
    pictures = [put(home, "a.png", RED), put(home, "b (new).jpeg", picture("blue", "JPEG")), put(home, "a.png", RED)]
    turn = home.start("new", "what differs?", *(word for path in pictures for word in ("--image", path)))
    assert turn.wait()["state"] == "complete"
    assert shown(model) == [RED, picture("blue", "JPEG"), RED]
    assert model.model_requests[0].prompt.startswith("what differs?")
    names = ["images/1-a.png", "images/2-b__new_.jpeg", "images/3-a.png"]
    assert turn.meta["images"] == names
    assert [(turn.path / name).read_bytes() for name in names] == shown(model)
    assert {stat.S_IMODE((turn.path / name).stat().st_mode) for name in names} == {0o600}
    assert stat.S_IMODE((turn.path / "images").stat().st_mode) == 0o700


def test_a_file_that_is_overwritten_or_removed_while_the_turn_stands_in_the_queue_changes_nothing(home: Home) -> None:
    gate = Gate()
    model = home.model([say("first", hold(gate)), say("second")])
    home.configure(max_running=1)
    first = home.start("new", "hi")
    wait_until(lambda: "first" in first.out, what="the first turn's answer")
    paths = [put(home, "a.png", RED), put(home, "b.png", RED)]
    queued = home.start("new", "what is it?", "--image", paths[0], "--image", paths[1])
    put(home, "a.png", BLUE)
    Path(paths[1]).unlink()
    gate.open()
    assert queued.wait()["answer"] == "second"
    assert shown(model) == [RED, RED]


@pytest.mark.full
def test_the_hint_of_a_failed_turn_shows_the_same_picture_again(home: Home) -> None:
    model = home.model([bad_request("no such thing"), say("seen")])
    path = put(home, "a.png", RED)
    failed = home.start("new", "what is it?", "--ephemeral", "--image", path)
    hint = failed.wait()["error"]["hint"]
    Path(path).unlink()
    command = shlex.split(hint.split("`")[1])
    assert command[command.index("--image") + 1] == str(failed.path / "images" / "1-a.png")
    again = home.start(*command[1:])
    assert again.wait()["answer"] == "seen"
    assert shown(model) == [RED]
    assert again.meta["images"] == ["images/1-a.png"]


def test_a_thread_that_goes_on_takes_pictures_too(one_home: Home) -> None:
    model = one_home.model([say("one"), say("two")])
    one_home.start("new", "hi").wait()
    turn = one_home.start("continue", "and this?", "--image", put(one_home, "a.png", BLUE))
    put(one_home, "a.png", RED)
    assert turn.wait()["answer"] == "two"
    assert shown(model) == [BLUE]


@pytest.mark.full
def test_a_large_picture_is_handed_over_whole(home: Home) -> None:
    model = home.model([say("noise")])
    noise = BytesIO()
    Image.effect_noise((2300, 2300), 100).save(noise, "PNG", compress_level=0)  # 5 MB: more than any pipe holds
    turn = home.start("new", "what is it?", "--image", put(home, "noise.png", noise.getvalue()))
    assert (turn.path / "images" / "1-noise.png").read_bytes() == noise.getvalue()
    assert turn.wait()["state"] == "complete"
    (made_smaller,) = shown(model)  # by Codex
    assert max(Image.open(BytesIO(made_smaller)).size) <= 2048


def test_a_bad_picture_is_refused_before_anything_is_made(one_home: Home) -> None:
    good = put(one_home, "good.png", RED)
    cases = (
        (None, "No such file"),
        (b"", "is no PNG"),
        (b"no picture at all", "is no PNG"),
        (RED[: len(RED) // 2], "broken or cut short"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00", "broken or cut short"),
    )
    for content, expected in cases:
        path = put(one_home, "a.png", content) if content is not None else str(one_home.root / "missing.png")
        words = ("new", "hi", "--image", good, "--image", path)
        for run in (one_home.call(*words), *([one_home.run(*words)] if content is None else [])):
            assert (run.code, run.error["kind"]) == (65, "bad_input"), content
            assert path in run.error["message"], content
            assert expected in run.error["message"], content
            assert run.stderr.count("\n") == 1, content
        assert one_home.turn_ids == [], content


def test_a_disk_that_takes_no_picture_is_73_and_nothing_is_left(one_home: Home) -> None:
    one_home.model([say("never")])
    noise = BytesIO()
    Image.effect_noise((300, 300), 100).save(noise, "PNG")
    path = put(one_home, "noise.png", noise.getvalue())
    limited = ["sh", "-c", 'ulimit -f 64; exec "$0" "$@"', COMMAND, "new", "hi", "--image", path]
    run = subprocess.run(limited, cwd=one_home.project, env=one_home.env, capture_output=True, check=False)
    assert (run.returncode, b"File too large" in run.stderr) == (73, True), run
    assert one_home.turn_ids == []
