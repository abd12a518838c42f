"""The log on stderr: its two forms, and that it blocks nothing."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import threading
from collections.abc import Iterator

import pytest

from codex_server_cli.gateway.access_log import AccessLog
from tests.kit.support import wait_until


@pytest.fixture
def _own_loggers() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("uvicorn.error", "asyncio")]
    before = [(each.handlers, each.propagate, each.level) for each in loggers]
    yield
    for logger, (handlers, propagates, level) in zip(loggers, before, strict=True):
        logger.handlers, logger.propagate = handlers, propagates
        logger.setLevel(level)


def fail() -> None:
    """Have a defect."""
    raise RuntimeError("a prompt")


def test_a_program_gets_json_without_what_is_not_known_and_without_long_texts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log = AccessLog(is_for_people=False)
    log.say("request", path="/\x1b[31m" + "x" * 1000, status=200, error=None)
    log.close()
    said = capsys.readouterr().err
    line = json.loads(said)
    assert line["event"] == "request"
    assert line["time"].endswith("Z")
    assert len(line["path"]) == 300
    assert "error" not in line
    assert "\x1b" not in said


def test_a_person_gets_words_that_can_be_printed(capsys: pytest.CaptureFixture[str]) -> None:
    log = AccessLog(is_for_people=True)
    log.say("request", path="/\x1b[31m", status=200)
    log.close()
    assert capsys.readouterr().err.endswith("request path=/?[31m status=200\n")


def test_a_defect_is_told_by_its_place_and_without_its_words(capsys: pytest.CaptureFixture[str]) -> None:
    log = AccessLog(is_for_people=False)
    try:
        fail()
    except RuntimeError as error:
        log.defect(error, id="req_1")
    log.close()
    said = capsys.readouterr().err
    line = json.loads(said)
    assert (line["event"], line["error"], line["id"]) == ("defect", "RuntimeError", "req_1")
    assert line["where"].startswith("test_access_log.py:")
    assert "prompt" not in said


@pytest.mark.usefixtures("_own_loggers")
def test_what_the_libraries_report_is_a_line_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    log = AccessLog(is_for_people=False)
    log.take_over_loggers()
    logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    logging.getLogger("asyncio").error("socket.accept() out of system resource")
    try:
        fail()
    except RuntimeError:
        logging.getLogger("asyncio").exception("Task exception was never retrieved")
    log.close()
    said = capsys.readouterr().err
    warning, defect = (json.loads(line) for line in said.splitlines())
    assert (warning["event"], warning["message"]) == ("warning", "socket.accept() out of system resource")
    assert (defect["event"], defect["error"], defect["of"]) == ("defect", "RuntimeError", "asyncio")
    assert "prompt" not in said


def test_a_reader_that_does_not_read_costs_lines_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    with open(reading, encoding="utf-8") as reader:  # noqa: PTH123
        writer = open(writing, "w", encoding="utf-8")  # noqa: PTH123, SIM115
        monkeypatch.setattr(sys, "stderr", writer)
        log = AccessLog(is_for_people=False)
        for _ in range(20_000):  # four times what the pipe and the queue take
            log.say("request", path="/" + "x" * 200)
        lines: list[str] = []
        taking = threading.Thread(target=lambda: lines.extend(reader))
        taking.start()
        wait_until(lambda: len(lines) > 4096, what="the lines that were kept")
        log.close()
        writer.close()
        taking.join()
    events = [json.loads(line) for line in lines]
    assert 4096 < len(events) < 20_000
    assert events[-1]["event"] == "lost"
    assert events[-1]["lines"] + len(events) - 1 == 20_000


def test_a_stderr_that_is_closed_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)
    log = AccessLog(is_for_people=False)
    log.say("request")
    log.close()
