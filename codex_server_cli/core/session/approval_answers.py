"""The user's texts as the answer to a question or a form. Owns their validation; must never guess the intent.

Protocol notes, section 6: `requestUserInput` takes `{"answers": {id: {"answers": [text]}}}`, an elicitation an object
that matches its `requestedSchema`.
"""

from __future__ import annotations

import re
from math import isfinite
from typing import Any

from codex_server_cli.core.documents.turn import PLACEHOLDER
from codex_server_cli.core.inputs import is_blank
from codex_server_cli.core.protocol.rpc import Message, objects_in, text_in
from codex_server_cli.core.record.approval_request import ApprovalRequest, RequestKind, form_choices
from codex_server_cli.core.result.schema import fault_in, is_schema

_INTEGER = re.compile(r"[+-]?[0-9]{1,300}")


class AnswerError(ValueError):
    """The answers are invalid for the request; the message has the reason."""


def answering(request: ApprovalRequest, answers: dict[str, list[str]]) -> Message:
    """The JSON-RPC result that answers a question or a form.

    Args:
        answers: texts by question id; several only for a multiple choice.

    Raises:
        AnswerError: an id is unknown, an answer is missing, empty, or not one of the choices.
    """
    if request.kind is RequestKind.QUESTION:
        questions = {text_in(each.get("id")): each for each in objects_in(request.params.get("questions"))}
        _check_ids(answers, list(questions), list(questions))
        chosen = {id_: [_choice(id_, questions[id_], text) for text in texts] for id_, texts in answers.items()}
        return {"answers": {id_: {"answers": texts} for id_, texts in chosen.items()}}
    schema = request.params["requestedSchema"]
    required = schema.get("required")
    _check_ids(answers, list(request.form), [name for name in request.form if name in (required or ())])
    content = {name: _value(name, request.form[name], texts) for name, texts in answers.items()}
    fault = fault_in(content, schema) if is_schema(schema) else None  # an invalid schema is the requester's defect
    if fault is not None:
        raise AnswerError(fault)
    return {"action": "accept", "content": content, "_meta": None}


def _check_ids(answers: dict[str, list[str]], known: list[str], required: list[str]) -> None:
    for id_, texts in answers.items():
        if id_ not in known:
            raise AnswerError(f"no question {id_!r} was asked, but {', '.join(known)}")
        if any(is_blank(text) or text.strip() == PLACEHOLDER for text in texts):
            raise AnswerError(f"the answer to question {id_!r} is empty")
    for id_ in required:
        if not answers.get(id_):
            raise AnswerError(f"question {id_!r} needs an answer")


def _choice(id_: str, question: Message, text: str) -> str:
    """One answer: the label of the option that it names, if there are options."""
    labels = [text_in(option.get("label")) for option in objects_in(question.get("options"))]
    chosen = _match_choice(id_, [(label, label) for label in labels], text)
    if chosen:
        return str(chosen[0])
    if labels and not question.get("isOther"):
        raise AnswerError(f"question {id_!r} takes one of: {', '.join(labels)}; not {text!r}")
    return text


def _match_choice(id_: str, choices: list[tuple[str, Any]], text: str) -> list[Any]:
    """The value of the one choice that a text names, in a list; empty if it names none.

    Labels are compared before values, and each exactly before ignoring case: a label may be another choice's value.

    Raises:
        AnswerError: it names several choices.
    """
    stripped = text.strip()
    for given, normalise in ((stripped, str), (stripped.casefold(), str.casefold)):
        for position in (0, 1):
            found = [choice[1] for choice in choices if normalise(str(choice[position])) == given]
            if len(found) > 1:
                raise AnswerError(f"{text!r} names several choices of question {id_!r}")
            if found:
                return found
    return []


def _value(name: str, schema: Any, texts: list[str]) -> Any:
    """The texts as a value of the type that the form requires; what cannot be parsed remains text."""
    type_ = schema.get("type") if isinstance(schema, dict) else None
    if type_ == "array":
        items = schema.get("items")
        return [_value(name, items, [text]) for text in texts]
    if len(texts) > 1:
        raise AnswerError(f"question {name!r} takes one answer, not {len(texts)}")
    text = texts[0]
    choices = form_choices(schema)
    chosen = _match_choice(name, choices, text)
    if chosen:
        return chosen[0]
    if choices:
        raise AnswerError(f"question {name!r} takes one of: {', '.join(label for label, _ in choices)}; not {text!r}")
    return _number(text) if type_ in ("integer", "number") else text


def _number(text: str) -> float | str:
    """The text as a JSON number; anything else, like NaN, remains text."""
    if _INTEGER.fullmatch(text.strip()):
        return int(text)
    try:
        number = float(text)
    except ValueError:
        return text
    return number if isfinite(number) else text
