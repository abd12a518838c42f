"""One turn as requested, and its encoding on the wire. Owns the parameters of `thread/*` and `turn/*`.

Must never validate user input (the `start` action does) or interpret replies (`turn_record` does).
Two safety rules live here (design, section 6; protocol notes, section 3): a thread is always opened read-only,
because opening it with more would mark the project as trusted in the user's `config.toml` (under an administrator's
list of profiles that takes more than a sandbox: `requirements`); and the requested policy goes into every `turn/start`,
because a resumed thread would otherwise keep the widest one it ever had. `permissions` describes what is sent between
the two if the user's own Codex configuration denies something.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

from codex_server_cli.core.model.codex_config import layered, marked_config, value_in
from codex_server_cli.core.protocol.rpc import Message


def _sibling(path: str, name: str) -> str:
    """The path of a file in the directory of `path`; an absolute one is kept, because turns of 0.3.0 have those."""
    return name if name.startswith("/") else f"{path.rpartition('/')[0]}/{name}"


class Sandbox(StrEnum):
    """What the commands of a turn may access."""

    READ_ONLY = "read-only"
    WORKSPACE_WRITE = "workspace-write"
    DANGER_FULL_ACCESS = "danger-full-access"


class Approval(StrEnum):
    """What happens when a turn needs more than its sandbox allows."""

    NEVER = "never"  # it is refused, by Codex itself
    ASK = "ask"  # a user, or an agent, decides from any other shell
    AUTO = "auto"  # Codex's own reviewer decides, with model calls of its own


APPROVAL_TIMEOUT_S = 600.0
"""How long a request waits for a decision by default; then it is declined."""

COMPACT = "thread/compact/start"
"""Its reply does not name the turn that it starts: `turn/started` does."""

_POLICY_RANK = {"readOnly": 0, "workspaceWrite": 1, "dangerFullAccess": 2, "externalSandbox": 2}


Flags = dict[str, list[str]]
"""Flags of a command that starts a turn, by long name: their values, none for a switch."""


BELL = "bell"
"""The first word of a terminal's bell, in place of a notify command; see `bell`."""


class TurnRequest(NamedTuple):
    """One turn as requested; stored in `meta.json` under `request`, without the prompt.

    Attributes:
        turn_id: our id.
        cwd: absolute working directory of the turn.
        model, effort: None leaves them to Codex (a resumed thread keeps its own).
        sandbox, writable_roots, has_network: the policy of this turn only.
        approval: who decides about actions that the sandbox does not allow.
        approval_timeout_s: how long a request waits for an answer before it is declined.
        may_ask_questions: Codex may ask mid-turn; `is_plan` runs its plan mode, which asks too.
        review: the wire's `ReviewTarget`, for a turn that is a review; its prompt is not sent.
        is_compaction: the turn replaces the content of the thread by a summary; its prompt is not sent.
        images: paths of the turn's own copies; stored relative to the turn's directory.
        schema: the JSON Schema of the answer, if any.
        config: overrides of Codex's configuration for this thread, dotted keys; they win over the profile.
        profile, profile_config: the name of a Codex profile, and its content when the turn was requested.
        is_ephemeral: the thread leaves no session file.
        thread_id: the thread to continue; None starts a new one.
        is_fork: fork that thread instead of writing to it; `fork_after` names the last Codex turn to keep.
        may_fork_if_busy: fork it also if it has queued messages that Codex would run first.
        deadline_s: end the turn after this many seconds.
        may_bill_api_key: `"auth": "any"` in config.json.
        notify: command line to run when the turn ends or needs attention.
        is_after_reset: wait in the queue until the usage limit has reset.
        keeps_events: `"events": "full"` in config.json: nothing is dropped from `events.jsonl` at its end.
        flags: the user's command-line flags, for the commands in hints; None if unknown.
        schema_source: the schema's file, if it has one that can be edited.
        prompt_path: absolute path of the stored prompt, for hints; the images are beside it. Not stored.
        worktree_cwd: its directory in its own worktree, used instead of the user's `cwd`. Not stored.
        image_urls: the same images as data URLs, for an app-server that cannot read files here. Not stored.
    """

    turn_id: str
    cwd: str
    model: str | None = None
    effort: str | None = None
    sandbox: Sandbox = Sandbox.READ_ONLY
    writable_roots: tuple[str, ...] = ()
    has_network: bool = False
    approval: Approval = Approval.NEVER
    approval_timeout_s: float = APPROVAL_TIMEOUT_S
    may_ask_questions: bool = False
    is_plan: bool = False
    review: dict[str, Any] | None = None
    is_compaction: bool = False
    images: tuple[str, ...] = ()
    schema: dict[str, Any] | None = None
    config: dict[str, Any] | None = None
    profile: str | None = None
    profile_config: dict[str, Any] | None = None
    is_ephemeral: bool = False
    thread_id: str | None = None
    is_fork: bool = False
    fork_after: str | None = None
    may_fork_if_busy: bool = False
    deadline_s: float | None = None
    may_bill_api_key: bool = False
    notify: str | None = None
    is_after_reset: bool = False
    keeps_events: bool = False
    flags: Flags | None = None
    schema_source: str | None = None
    prompt_path: str | None = None
    worktree_cwd: str | None = None
    image_urls: tuple[str, ...] = ()

    @property
    def work_dir(self) -> str:
        """The working directory that Codex gets."""
        return self.worktree_cwd or self.cwd

    def to_json(self) -> dict[str, Any]:
        """The request as a JSON object; `from_json` is its inverse."""
        stored = self._asdict()
        del stored["prompt_path"], stored["worktree_cwd"], stored["image_urls"]
        return stored

    @classmethod
    def from_json(cls, value: dict[str, Any], turn_id: str, prompt_path: str | None = None) -> TurnRequest:
        """Read the request of a turn back; unknown keys (a newer version's) are ignored.

        Args:
            value: of a `meta.json` that passed `turn_files.is_meta`.

        Raises:
            ValueError: it names a sandbox or an approval that this version does not know.
        """
        known = {name: value[name] for name in cls._fields if name in value}
        known["cwd"] = known.get("cwd") or "/"
        for name in ("images", "writable_roots"):
            known[name] = tuple(known.get(name) or ())
        if prompt_path is not None:
            known["images"] = tuple(_sibling(prompt_path, image) for image in known["images"])
        known["sandbox"] = Sandbox(known.get("sandbox") or Sandbox.READ_ONLY)
        known["approval"] = Approval(known.get("approval") or Approval.NEVER)
        known["approval_timeout_s"] = known.get("approval_timeout_s") or APPROVAL_TIMEOUT_S
        return cls(**known | {"turn_id": turn_id, "prompt_path": prompt_path})

    @property
    def may_write(self) -> bool:
        """Whether a command of the turn may write, perhaps after an approval."""
        return self.sandbox is not Sandbox.READ_ONLY or self.approval is not Approval.NEVER

    def after(self, waited_s: float) -> TurnRequest:
        """The request with its deadline reduced by the time spent in the queue."""
        if self.deadline_s is None or not waited_s:
            return self
        return self._replace(deadline_s=max(self.deadline_s - waited_s, 0.001))

    def open_thread(self, under: str | None = None) -> tuple[str, Message]:
        """Method and parameters that open the thread: `thread/start`, `thread/resume` or `thread/fork`.

        Args:
            under: the permission profile for a new thread; None leaves it to Codex.
        """
        params: Message = {**self.approval_policy(), "sandbox": str(Sandbox.READ_ONLY)}
        config = marked_config(self.overrides, self.turn_id)
        if self.thread_id is None and under is not None:
            config = {**config, "default_permissions": under}
        if config:
            params["config"] = config
        if self.asked_model is not None:
            params["model"] = self.asked_model
        if self.thread_id is None:
            # Refusals are reported only in raw items; `thread/resume` and `thread/fork` have no such parameter.
            own: Message = {"cwd": self.work_dir, "ephemeral": self.is_ephemeral, "experimentalRawEvents": True}
            return "thread/start", params | own
        # Without `cwd` Codex applies the configuration of the thread's previous directory, with its denials.
        params |= {"threadId": self.thread_id, "cwd": self.work_dir, "excludeTurns": True}
        if not self.is_fork:
            return "thread/resume", params
        if self.fork_after is not None:
            params["lastTurnId"] = self.fork_after
        return "thread/fork", {**params, "ephemeral": self.is_ephemeral}

    @property
    def overrides(self) -> dict[str, Any]:
        """The overrides of Codex's configuration: the profile, the user's own, and settings without a parameter
        (notes, sections 4 and 12)."""
        switches: dict[str, Any] = {}
        if self.may_ask_questions:
            switches["features.default_mode_request_user_input"] = True  # outside of plan mode, too
            switches["suppress_unstable_features_warning"] = True  # the user enabled questions, not a feature
        if self.review is not None and self.effort is not None:
            switches["model_reasoning_effort"] = self.effort
        return layered(self.profile_config, self.config, switches)

    @property
    def asked_model(self) -> str | None:
        """The requested model, from the flag or the overrides."""
        return self.model or value_in(self.overrides, "model")

    @property
    def asked_effort(self) -> str | None:
        """The requested reasoning effort, from the flag or the overrides."""
        return self.effort or value_in(self.overrides, "model_reasoning_effort")

    def approval_policy(self) -> Message:
        """The wire's members for who decides; including the reviewer, because a resumed thread keeps its last one."""
        policy = "never" if self.approval is Approval.NEVER else "on-request"
        return {
            "approvalPolicy": policy,
            "approvalsReviewer": "auto_review" if self.approval is Approval.AUTO else "user",
        }

    def open_turn(
        self, thread_id: str, prompt: str, model: str | None = None, *, has_policy: bool = True
    ) -> tuple[str, Message]:
        """Method and parameters that open the turn: `turn/start`, `review/start` or `thread/compact/start`.

        `turn/start` carries the prompt, the images, and the whole policy of this turn; a review runs with the settings
        that its thread was opened with (notes, section 12), or with later ones.

        Args:
            model: the thread's effective model, which the wire's plan mode requires.
            has_policy: whether the policy is sent; otherwise the thread keeps its permission profile.
        """
        if self.review is not None:
            return "review/start", {"threadId": thread_id, "target": self.review}
        if self.is_compaction:
            return COMPACT, {"threadId": thread_id}
        images = [{"type": "image", "url": url} for url in self.image_urls]
        images = images or [{"type": "localImage", "path": path} for path in self.images]
        params: Message = {
            "threadId": thread_id,
            "input": [{"type": "text", "text": prompt}, *images],
            **self.approval_policy(),
            **({"sandboxPolicy": self.sandbox_policy()} if has_policy else {}),
            "cwd": self.work_dir,
        }
        asked_model, effort = self.asked_model, self.asked_effort
        optional = {"model": asked_model, "effort": effort, "outputSchema": self.schema}
        if self.is_plan:
            settings = {"model": asked_model or model, "reasoning_effort": effort, "developer_instructions": None}
            params["collaborationMode"] = {"mode": "plan", "settings": settings}
        return "turn/start", params | {name: value for name, value in optional.items() if value is not None}

    def sandbox_policy(self) -> Message:
        """The wire's `SandboxPolicy` object (camelCase, unlike `thread/start.sandbox`)."""
        if self.sandbox is Sandbox.READ_ONLY:
            return {"type": "readOnly", "networkAccess": self.has_network}
        if self.sandbox is Sandbox.DANGER_FULL_ACCESS:
            return {"type": "dangerFullAccess"}
        return {
            "type": "workspaceWrite",
            "writableRoots": list(self.writable_roots),
            "networkAccess": self.has_network,
            "excludeTmpdirEnvVar": False,
            "excludeSlashTmp": False,
        }

    def is_wider(self, settings: Message) -> bool:
        """Whether the announced effective settings allow more than was requested, or have another reviewer.

        Args:
            settings: `TurnRecord.settings`; a missing member is ignored. An unknown policy type counts as the widest.
        """
        is_decided_by_codex = settings.get("approvalsReviewer", "user") != "user"
        if is_decided_by_codex and self.approval is not Approval.AUTO and settings.get("approvalPolicy") != "never":
            return True
        policy = settings.get("sandboxPolicy") or settings.get("sandbox")
        if not isinstance(policy, dict):
            return False
        if self.sandbox is Sandbox.DANGER_FULL_ACCESS:
            return False
        asked = self.sandbox_policy()
        if _POLICY_RANK.get(str(policy.get("type")), 2) > _POLICY_RANK[asked["type"]]:
            return True
        roots = policy.get("writableRoots")  # as Codex resolved them: only their number can be compared
        has_more_roots = isinstance(roots, list) and len(roots) > len(self.writable_roots)
        return has_more_roots or (bool(policy.get("networkAccess")) and not self.has_network)
