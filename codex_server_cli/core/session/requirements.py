"""What an administrator's `requirements.toml` allows a turn: the part that we enforce.

Observed on 0.163.0 and 0.171.0, for new, resumed and forked threads:

* `allowed_permission_profiles` lists the profiles that Codex's CLI may be configured with; what is not listed as true
  is refused there, built-in ones too, and `--sandbox` is refused while there is a list. The app-server accepts any
  `sandboxPolicy` regardless, so we enforce the list. `:workspace` allows writes to the workspace, the temporary
  directories and those of `--add-dir`, and keeps the network closed; only `:danger-full-access` opens it.
* `allowed_sandbox_modes`, `allowed_approval_policies` and `allowed_approvals_reviewers` are enforced by the app-server:
  it refuses the turn. Network is not part of a mode: Codex's CLI has it under "read-only", by a profile.
* While a list is in force, a thread opens under the configured profile, for any `sandbox` that we send, and the reply
  names it; without a list it names none, because that sandbox replaces the profile. If that profile may write,
  `thread/start` marks the project as trusted in the user's `config.toml` and starts the tool servers that the project
  itself names (`codex exec` of 0.163.0 does both, that of 0.171.0 neither). `default_permissions` in the thread's
  `config` opens it under another listed profile instead; without a list that changes nothing. `thread/resume` and
  `thread/fork` trust nothing.

Must never widen anything: what is not reported is not allowed. `permissions` determines what a managed profile allows.
"""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.model.request import Sandbox, TurnRequest
from codex_server_cli.core.model.turn import TurnError
from codex_server_cli.core.protocol.rpc import Message, at
from codex_server_cli.core.result.failures import make_error
from codex_server_cli.core.session.permissions import PermissionProfile, is_own, lets_have, profile_in_force, terms_of
from codex_server_cli.errors import ErrorKind

_READ_ONLY = ":read-only"
_PLAIN = "To have it read only: {plain}"
_NARROWER = "With --write instead: {narrower}"
_SELECT = "Or select a profile that fits in Codex's own configuration (`default_permissions`), of those allowed"


def profile_to_open_under(result: Any, config: Message) -> str | None:
    """The profile that a new thread must name so that opening it makes Codex trust nothing; None to name none.

    Write access comes later, with the turn. A managed profile, whose rules Codex does not report, must be opened under
    itself: nothing else shows what it allows (`permissions`).

    Args:
        result: the result of `configRequirements/read`.
        config: Codex's effective configuration, overrides of the thread included.
    """
    requirements = _requirements(result)
    profiles, own = requirements.get("allowedPermissionProfiles"), config.get("default_permissions")
    if not isinstance(profiles, dict) or profiles.get(_READ_ONLY) is not True:
        return None
    default = own if profiles.get(str(own)) is True else requirements.get("defaultPermissions")
    profile = profile_in_force({**config, "default_permissions": default}, {})
    return _READ_ONLY if profile is None or profile.is_told else None


def is_overruled(result: Any, config: Message, settings: Message) -> bool:
    """Whether the profile that the user configured is not in force, because the administrator's list omits it.

    Codex's CLI runs under a built-in one instead, with a warning; the app-server refuses the configured one.
    """
    profiles = at(result, "requirements.allowedPermissionProfiles", dict)
    is_listed = profiles is None or profiles.get(str(config.get("default_permissions"))) is True
    return _has_built_in(settings) and not is_listed


def _has_built_in(settings: Message) -> bool:
    """Whether Codex names a built-in profile as the one in force: it does while a list is in force."""
    name = at(settings, "activePermissionProfile.id", str)
    return name is not None and not is_own(name)


def _requirements(result: Any) -> Message:
    """The requirements; empty if there are none; unreadable ones as an unreadable list, which allows nothing."""
    requirements = result.get("requirements") if isinstance(result, dict) else result
    if requirements is None:
        return {}
    return requirements if isinstance(requirements, dict) else {"allowedPermissionProfiles": requirements}


def problem_of(
    result: Any, settings: Message, request: TurnRequest, profile: PermissionProfile | None
) -> TurnError | None:
    """Why the requirements forbid a turn's policy; None if they do not.

    Args:
        result: the result of `configRequirements/read`; None if Codex does not know it.
        settings: what Codex reported when the thread was opened.
        profile: the one in force, if not built in; one with unreported rules runs unmodified.
    """
    only_reads = request.sandbox is Sandbox.READ_ONLY and not request.has_network
    if only_reads or (profile is not None and not profile.is_told):
        return None
    requirements = _requirements(result)
    modes, profiles = requirements.get("allowedSandboxModes"), requirements.get("allowedPermissionProfiles")
    if modes is not None and (not isinstance(modes, list) or request.sandbox not in modes):
        return _refused(f"allow the sandboxes {_joined(modes)} alone (`allowed_sandbox_modes`), not {request.sandbox}")
    if profiles is None and not settings.get("activePermissionProfile"):
        return None
    if _is_allowed(profiles, request, profile):
        return None
    listed = [name for name, is_on in profiles.items() if is_on is True] if isinstance(profiles, dict) else None
    network = " with network" if request.has_network else ""
    narrower = request._replace(sandbox=Sandbox.WORKSPACE_WRITE)
    is_narrower = request.sandbox is Sandbox.DANGER_FULL_ACCESS and _is_allowed(profiles, narrower, profile)
    is_narrower = is_narrower and (profile is None or terms_of(profile, narrower).problem is None)
    others = [name for name in listed or () if not name.startswith(":")]
    text = f"allow the permission profiles {_joined(listed)} alone (`allowed_permission_profiles`), and none of them is"
    hint = _NARROWER if is_narrower else f"{_PLAIN}. {_SELECT} ({', '.join(others)})" if others else _PLAIN
    return _refused(f"{text} known to let a turn have {request.sandbox}{network}", hint)


def _is_allowed(profiles: Any, request: TurnRequest, profile: PermissionProfile | None) -> bool:
    """Whether a listed profile allows all that a turn requests; the rules of any others are unknown."""
    if not isinstance(profiles, dict):
        return False
    if profiles.get(":danger-full-access") is True:
        return True
    is_within = request.sandbox is not Sandbox.DANGER_FULL_ACCESS and not request.has_network
    if is_within and profiles.get(":workspace") is True:
        return True
    return profile is not None and profiles.get(profile.name) is True and lets_have(profile, request)


def _joined(names: Any) -> str:
    return ", ".join(map(str, names)) or "(none)" if isinstance(names, list) else "(not told)"


def _refused(what: str, hint: str = _PLAIN) -> TurnError:
    return make_error(ErrorKind.SANDBOX, f"Your administrator's requirements for Codex {what}.", hint=hint)
