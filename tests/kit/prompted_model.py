"""A scripted model that is told what to answer to which prompt, at any time. Never here: what any test asks for."""

from __future__ import annotations

import threading
from collections import Counter

from codex_server_cli.demo.parts import ReplyLike
from codex_server_cli.demo.replies import say
from codex_server_cli.demo.request import Request


class PromptedModel:
    """An instance is a script. A prompt that it was told nothing about comes back as `echo: PROMPT`."""

    def __init__(self) -> None:
        self._answers: dict[str, tuple[ReplyLike, ...]] = {}
        self._asked: Counter[str] = Counter()
        self._lock = threading.Lock()

    def on(self, prompt: str, *answers: ReplyLike) -> str:
        """Answer the requests that this prompt leads to with these, one after the other; the last one repeats.

        Args:
            prompt: the whole text of the newest message of the user, which is that of a steer as soon as there is one.

        Returns:
            The prompt.
        """
        with self._lock:
            self._answers[prompt] = answers
            del self._asked[prompt]
        return prompt

    def __call__(self, request: Request) -> ReplyLike:
        """The reply to one request."""
        prompt = request.prompt
        with self._lock:
            answers = self._answers.get(prompt)
            number = self._asked[prompt]
            self._asked[prompt] += 1
        return answers[min(number, len(answers) - 1)] if answers else say(f"echo: {prompt}")
