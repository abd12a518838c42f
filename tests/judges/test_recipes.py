"""The manual's recipes, as they stand but for the address."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.judges.conftest import Judged, over_one
from tests.kit.judges import FOLDER
from tests.kit.support import DEADLINE_S
from tests.kit.willing_model import WillingModel

_MANUAL = Path(__file__).parents[2] / "references" / "gateway.md"
_BACKGROUND = "Which tests are slow, and why?"


class MODEL(WillingModel):
    """The recipe of work in the background is a turn of Codex's own: no law of chats holds for it."""

    def problems_of(self, body: dict[str, Any]) -> list[str]:
        return [] if _BACKGROUND in str(body["input"]) else super().problems_of(body)


@pytest.mark.judge
@over_one
def test_the_manuals_recipes_answer_as_they_stand(judged: Judged) -> None:
    recipes = re.findall(r"^```python\n(.*?)^```$", _MANUAL.read_text(), re.M | re.S)
    printed = []
    for recipe in recipes:
        command = [FOLDER / "bin" / "python", "-c", recipe.replace("http://127.0.0.1:8787", judged.url)]
        run = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
        assert run.returncode == 0, run.stderr
        printed.append(run.stdout.rstrip("\n"))
    hello = "echo: Say hello."
    assert printed == [f"{hello} 40", hello, hello, "echo: And in French? 40", f"echo: {_BACKGROUND}"]


@pytest.mark.judge
@over_one
def test_the_manuals_recipe_for_llm_answers_and_goes_on_with_its_thread(judged: Judged, tmp_path: Path) -> None:
    (recipe,) = re.findall(r"^```yaml\n(- model_id: codex\n.*?)^```$", _MANUAL.read_text(), re.M | re.S)
    (tmp_path / "extra-openai-models.yaml").write_text(recipe.replace("http://127.0.0.1:8787", judged.url))
    env = os.environ | {"LLM_USER_PATH": str(tmp_path)}

    def llm(*words: str) -> str:
        command = [str(FOLDER / "bin" / "llm"), *words]
        run = subprocess.run(command, env=env, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
        assert run.returncode == 0, run.stderr
        return run.stdout.strip()

    llm("keys", "set", "codex", "--value", "any")
    assert llm("-m", "codex", "Say hello.") == "echo: Say hello."
    assert llm("-c", "And then?") == "echo: And then?"
