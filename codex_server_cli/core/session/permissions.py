"""The permission profile that the user's own Codex runs under, and how a turn's policy is laid over it.

`default_permissions` of Codex's configuration names a profile of `[permissions.*]`: files, globs and network domains
that are denied, and perhaps what may be read at all. Observed on 0.163.0 and 0.171.0, for new, resumed and forked
threads, those that ran wider before too:

* `sandbox` of `thread/start|resume|fork` replaces the profile, denials and all. Without it a profile that may write
  marks the project as trusted in the user's `config.toml`, and a review, whose start takes no policy, writes.
* `thread/settings/update {"permissions": NAME}` puts the profile in force, and a `sandboxPolicy` after it (not beside
  it: that is refused) keeps what is denied, through approvals too, whichever way it goes.
* Such a policy loses the rest: what may be read at all, "read" rules inside of what it lets a turn write, and the
  network rules of a profile whose network is off. `dangerFullAccess` loses everything. And a policy without network
  does not close the network proxy (`features.network_proxy`) of a profile whose network is on.
* Of a profile that `requirements.toml` defines nobody tells the rules, `config/read` and `configRequirements/read`
  neither, and its `extends` is null. Where an allowlist (`allowed_permission_profiles`) is in force, the reply that
  opens the thread names the profile, whatever `sandbox` was asked for, and tells the narrowest policy that allows all
  that it lets be written and reached: `readOnly` without network is told of none that writes anywhere or has network.
  What may be read it does not tell. So such a profile runs as it stands, under no policy of ours, or not at all.
* Where the name is unknown `config/read` is refused, and Codex itself would start no thread.

A built-in profile (`:workspace`) denies nothing. Must never widen anything: what cannot be kept is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from codex_server_cli.core.model.request import Approval, Sandbox, TurnRequest
from codex_server_cli.core.model.turn import TurnError
from codex_server_cli.core.protocol.rpc import Message, at, object_at
from codex_server_cli.core.result.failures import make_error
from codex_server_cli.errors import ErrorKind

_ROOTS = ":workspace_roots"
_EVERYTHING = (":root", "/")
_TEMPORARY = (":tmpdir", ":slash_tmp")
_GLOB = set("*?[")
_BUILT_IN = {
    ":read-only": {":root": "read"},
    ":workspace": {":root": "read", **dict.fromkeys((_ROOTS, *_TEMPORARY), "write")},
    ":danger-full-access": {":root": "write"},
}
_BROAD = {*_EVERYTHING, _ROOTS, ":minimal"}
"""Where "read" takes nothing away that the turn was asked to have."""

_NARROWER = "With --write instead Codex keeps what your profile denies: {narrower}"
_CLOSED = "To keep the network closed, ask again with --config features.network_proxy=false: {closed}"
_DEFINE = "Select a profile that fits in Codex's own configuration (`default_permissions`), then ask again: {again}"

_UNTOLD = "as a managed one, whose rules Codex tells nobody, it runs as it stands or not at all"
_ALLOWED = (
    "Select one that fits, of those that your administrator allows, in Codex's own configuration "
    "(`default_permissions`), then ask again: {again}"
)
_SANDBOXES = {"readOnly": Sandbox.READ_ONLY, "workspaceWrite": Sandbox.WORKSPACE_WRITE}
"""The policies that an untold profile may be told by; another one may be anything."""


class PermissionProfile(NamedTuple):
    """A profile of the user's own, with what it inherits.

    Attributes:
        name: as Codex knows it.
        rules: the access (`read`, `write`, `deny`) of each path; a path within the workspace follows its marker.
        reads_all: whether it lets everything be read that it does not deny.
        has_network: whether it opens the network.
        has_proxy: whether its network rules are enforced, by Codex's proxy.
        domains: its network rules: the access (`allow`, `deny`) of each domain.
        is_told: whether Codex tells all its rules; those of a managed profile, or of one below, it does not.
        policy: what Codex says instead of one that is not told: a policy that allows all that it lets be written and
            reached; None where it says nothing.
    """

    name: str
    rules: dict[str, str]
    reads_all: bool
    has_network: bool
    has_proxy: bool
    domains: dict[str, Any]
    is_told: bool = True
    policy: Message | None = None


def profile_in_force(config: Message, settings: Message) -> PermissionProfile | None:
    """The profile that the user's own Codex would run under; None where that is none, or a built-in one.

    Args:
        config: Codex's effective configuration, overrides of the thread included.
        settings: what Codex told of the thread when it was opened.
    """
    managed_name = at(settings, "activePermissionProfile.id", str)
    for name in (managed_name, config.get("default_permissions")):
        if is_own(name):
            policy = at(settings, "sandboxPolicy", dict) or at(settings, "sandbox", dict)
            return _read(str(name), config, policy if name == managed_name else None)
    return None


def is_own(name: Any) -> bool:
    """Whether this names a profile of the user's own: those of Codex begin with a colon."""
    return isinstance(name, str) and bool(name) and not name.startswith(":")


def _read(name: str, config: Message, policy: Message | None) -> PermissionProfile:
    chain = list(_chain(name, object_at(config, "permissions")))
    root = chain[-1].get("extends") if chain else name
    if is_own(root):  # a managed one, or an own one above it
        return PermissionProfile(name, {}, False, False, has_proxy(config), {}, is_told=False, policy=policy)
    rules: dict[str, str] = {}
    network: Message = {}
    domains: Message = {}
    for table in reversed(chain):  # what extends wins
        rules |= dict(_rules(object_at(table, "filesystem")))
        network |= {key: value for key, value in object_at(table, "network").items() if value is not None}
        domains |= object_at(table, "network.domains")
    rules = _BUILT_IN.get(str(root), {}) | rules
    reads_all = any(rules.get(path) in ("read", "write") for path in _EVERYTHING)
    return PermissionProfile(name, rules, reads_all, network.get("enabled") is True, has_proxy(config), domains)


def _chain(name: Any, tables: Message) -> Iterator[Message]:
    """A profile and those that it extends, as far as they are told."""
    seen: set[str] = set()
    while isinstance(name, str) and name not in seen and isinstance(tables.get(name), dict):
        seen.add(name)
        yield tables[name]
        name = tables[name].get("extends")


def _rules(table: Message) -> Iterator[tuple[str, str]]:
    for path, access in table.items():
        below = access if isinstance(access, dict) else {".": access}
        for name, rule in below.items():
            if isinstance(rule, str):
                yield path if name == "." else f"{path}/{name}", rule


def has_proxy(config: Message) -> bool:
    """Whether a configuration enforces the network rules of profiles: without the proxy they are only listed."""
    proxy = object_at(config, "features").get("network_proxy")
    return bool(proxy.get("enabled")) if isinstance(proxy, dict) else bool(proxy)


class Terms(NamedTuple):
    """How a turn runs under a profile.

    Attributes:
        problem: why it cannot.
        has_policy: whether the turn's own policy is laid over the profile; else the profile as it stands is as asked.
    """

    problem: TurnError | None = None
    has_policy: bool = True


def terms_of(profile: PermissionProfile, request: TurnRequest, had_proxy: bool = False) -> Terms:
    """Whether and how a turn can be run so that all that the profile denies stays denied, and no more is allowed.

    Args:
        had_proxy: whether the user's own configuration enforces network rules, whatever the turn was asked with.
    """
    are_rules_kept = profile.has_network and profile.has_proxy >= had_proxy
    loss = _loss(profile, request)
    if request.sandbox is Sandbox.DANGER_FULL_ACCESS:
        narrower = terms_of(profile, request._replace(sandbox=Sandbox.WORKSPACE_WRITE), had_proxy)
        hint = _NARROWER if narrower.problem is None else None
        problem = _refused(profile, "danger-full-access would lift what it denies", hint)
    elif not profile.is_told:
        reason = _misfit(profile, request, had_proxy)
        return Terms(has_policy=False) if reason is None else Terms(_refused(profile, f"{_UNTOLD}: {reason}"))
    elif request.has_network and profile.domains and not are_rules_kept:
        problem = _refused(profile, "--network would lift its rules for the network")
    elif loss is not None:
        return Terms(has_policy=False) if _is_as_asked(profile, request) else Terms(_refused(profile, loss))
    elif profile.has_network and profile.has_proxy and not request.has_network:
        problem = _refused(profile, "it opens the network, which this turn was not asked to have", _CLOSED)
    else:
        return Terms()
    return Terms(problem)


def lets_have(profile: PermissionProfile, request: TurnRequest) -> bool:
    """Whether a profile that is told, as it stands, lets a turn write and reach all that it asks for."""
    written = {path for path, access in profile.rules.items() if access == "write"}
    wanted = {_ROOTS, *_TEMPORARY} if request.sandbox is Sandbox.WORKSPACE_WRITE else set()
    is_written = wanted <= written or any(path in written for path in _EVERYTHING)
    is_reached = profile.has_network or not request.has_network
    return profile.is_told and request.sandbox is not Sandbox.DANGER_FULL_ACCESS and is_written and is_reached


def denied_by_name(profile: PermissionProfile, request: TurnRequest) -> tuple[str, ...]:
    """What a profile denies by its path, in a turn whose commands may come to write: absolute, or `~/…`.

    Where there is no such file, Codex makes one while a command runs (`disk.mount_targets`). What a glob denies is
    looked for and never made, and no command makes anything where none may write (observed on 0.163.0 and 0.171.0).
    """
    if request.sandbox is Sandbox.READ_ONLY and request.approval is Approval.NEVER:
        return ()
    paths = [path.replace(_ROOTS, request.cwd, 1) for path, access in profile.rules.items() if access == "deny"]
    return tuple(path for path in paths if path.startswith(("/", "~/")) and not _GLOB & set(path))


def _refused(profile: PermissionProfile, why: str, hint: str | None = None) -> TurnError:
    message = f"Codex's configuration runs everything under the permission profile {profile.name!r}, and {why}."
    return make_error(ErrorKind.SANDBOX, message, hint=hint or (_DEFINE if profile.is_told else _ALLOWED))


def _loss(profile: PermissionProfile, request: TurnRequest) -> str | None:
    """What a policy of the turn's own would lose of a profile beside its denials, in words; None for nothing."""
    if not profile.reads_all:
        return "it limits what may be read, which Codex keeps for no other policy than its own"
    read_alone = {path for path, access in profile.rules.items() if access == "read"} - _BROAD
    is_opened = request.sandbox is Sandbox.WORKSPACE_WRITE and read_alone
    return "--write would open what it lets be read alone" if is_opened else None


def _misfit(profile: PermissionProfile, request: TurnRequest, had_proxy: bool) -> str | None:
    """Why a profile that is not told cannot run this turn as it stands, in words; None where it can."""
    policy = profile.policy or {}
    sandbox = _SANDBOXES.get(str(policy.get("type")))
    roots = policy.get("writableRoots", [])
    is_inside = isinstance(roots, list) and all(root in request.writable_roots for root in roots)
    writes = sandbox is not Sandbox.READ_ONLY
    has_network = policy.get("networkAccess") is not False
    if sandbox is None:
        return "as it stands it may let anything be written"
    if writes and request.sandbox is Sandbox.READ_ONLY:
        return "as it stands it lets commands write, which this turn was not asked to have"
    if not is_inside:
        return "as it stands it lets commands write elsewhere than this turn was asked to"
    if has_network and not request.has_network:
        return "as it stands it opens the network, which this turn was not asked to have"
    if not writes and request.sandbox is not Sandbox.READ_ONLY:
        return "as it stands it lets nothing be written"
    if request.has_network and not has_network:
        return "as it stands it keeps the network closed"
    is_lifted = request.has_network and had_proxy and not profile.has_proxy
    return "--network would lift its rules for the network" if is_lifted else None


def _is_as_asked(profile: PermissionProfile, request: TurnRequest) -> bool:
    """Whether a profile as it stands allows what the turn was asked to have, and no more."""
    written = {path for path, access in profile.rules.items() if access == "write"}
    wanted = {_ROOTS, *request.writable_roots} if request.sandbox is Sandbox.WORKSPACE_WRITE else set()
    spare = {*_TEMPORARY} if wanted else set()
    return profile.has_network == request.has_network and wanted <= written <= wanted | spare
