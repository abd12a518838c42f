"""The permission profile that the user's own Codex runs under, and how a turn's policy is applied on top of it.

`default_permissions` of Codex's configuration names a profile of `[permissions.*]`: files, globs and network domains
that are denied, and perhaps the only paths that may be read. Observed on 0.163.0 and 0.171.0, for new, resumed and
forked threads, also those that ran with a wider policy before:

* `sandbox` of `thread/start|resume|fork` replaces the profile, including its denials. Without it a profile that may
  write marks the project as trusted in the user's `config.toml`, and a review, whose start takes no policy, writes.
* `thread/settings/update {"permissions": NAME}` applies the profile, and a `sandboxPolicy` after it (in the same
  request it is refused) keeps the denials, through approvals too, whether it widens or narrows.
* Such a policy drops the rest: limits on reading, "read" rules inside writable paths, and the network rules of a
  profile whose network is off. `dangerFullAccess` drops everything. And a policy without network does not
  close the network proxy (`features.network_proxy`) of a profile whose network is on.
* The rules of a profile that `requirements.toml` defines are not reported, not by `config/read` or
  `configRequirements/read` either, and its `extends` is null. If an allowlist (`allowed_permission_profiles`) is in
  force, the reply that opens the thread names the profile for any requested `sandbox`, and the narrowest policy that
  covers all it can write and reach: never `readOnly` without network for one that writes anywhere or has network. What
  may be read is not reported. So such a profile runs unmodified, without a policy of the turn, or does not run.
* If the name is unknown, `config/read` is refused, and Codex itself would start no thread.

A built-in profile (`:workspace`) denies nothing. Must never widen anything: what cannot be preserved is refused.
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
"""Paths where "read" removes nothing that the turn requested."""

_NARROWER = "With --write instead Codex keeps what your profile denies: {narrower}"
_CLOSED = "To keep the network closed, ask again with --config features.network_proxy=false: {closed}"
_DEFINE = "Select a profile that fits in Codex's own configuration (`default_permissions`), then ask again: {again}"

_UNREPORTED = "as a managed one, whose rules Codex does not report, it runs as it stands or not at all"
_ALLOWED = (
    "Select one that fits, of those that your administrator allows, in Codex's own configuration "
    "(`default_permissions`), then ask again: {again}"
)
_SANDBOXES = {"readOnly": Sandbox.READ_ONLY, "workspaceWrite": Sandbox.WORKSPACE_WRITE}
"""The policies that can represent an unreported profile; any other may allow anything."""


class PermissionProfile(NamedTuple):
    """A profile that is not built in, with what it inherits.

    Attributes:
        name: as Codex knows it.
        rules: the access (`read`, `write`, `deny`) of each path; a path within the workspace follows its marker.
        reads_all: whether everything that it does not deny may be read.
        has_network: whether it opens the network.
        has_proxy: whether its network rules are enforced, by Codex's proxy.
        domains: its network rules: the access (`allow`, `deny`) of each domain.
        is_told: whether Codex reports all its rules: not those of a managed profile, or of one that extends it.
        policy: what Codex reports instead of unreported rules: a policy that covers all that the profile can write and
            reach; None if it reports nothing.
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
    """The profile that the user's own Codex would run under; None for none, or a built-in one.

    Args:
        config: Codex's effective configuration, overrides of the thread included.
        settings: what Codex reported when the thread was opened.
    """
    managed_name = at(settings, "activePermissionProfile.id", str)
    for name in (managed_name, config.get("default_permissions")):
        if is_own(name):
            policy = at(settings, "sandboxPolicy", dict) or at(settings, "sandbox", dict)
            return _read(str(name), config, policy if name == managed_name else None)
    return None


def is_own(name: Any) -> bool:
    """Whether this names a profile that is not built in: those of Codex begin with a colon."""
    return isinstance(name, str) and bool(name) and not name.startswith(":")


def _read(name: str, config: Message, policy: Message | None) -> PermissionProfile:
    chain = list(_chain(name, object_at(config, "permissions")))
    root = chain[-1].get("extends") if chain else name
    if is_own(root):  # a managed one, or one that extends it
        return PermissionProfile(name, {}, False, False, has_proxy(config), {}, is_told=False, policy=policy)
    rules: dict[str, str] = {}
    network: Message = {}
    domains: Message = {}
    for table in reversed(chain):  # the extending one wins
        rules |= dict(_rules(object_at(table, "filesystem")))
        network |= {key: value for key, value in object_at(table, "network").items() if value is not None}
        domains |= object_at(table, "network.domains")
    rules = _BUILT_IN.get(str(root), {}) | rules
    reads_all = any(rules.get(path) in ("read", "write") for path in _EVERYTHING)
    return PermissionProfile(name, rules, reads_all, network.get("enabled") is True, has_proxy(config), domains)


def _chain(name: Any, tables: Message) -> Iterator[Message]:
    """A profile and those that it extends, as far as they are reported."""
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
        has_policy: whether the turn's own policy is applied on top; else the unmodified profile matches the request.
    """

    problem: TurnError | None = None
    has_policy: bool = True


def terms_of(profile: PermissionProfile, request: TurnRequest, had_proxy: bool = False) -> Terms:
    """Whether and how a turn can run so that all denials of the profile are preserved, and nothing more is allowed.

    Args:
        had_proxy: whether the user's own configuration, without the turn's overrides, enforces network rules.
    """
    are_rules_kept = profile.has_network and profile.has_proxy >= had_proxy
    loss = _loss(profile, request)
    if request.sandbox is Sandbox.DANGER_FULL_ACCESS:
        narrower = terms_of(profile, request._replace(sandbox=Sandbox.WORKSPACE_WRITE), had_proxy)
        hint = _NARROWER if narrower.problem is None else None
        problem = _refused(profile, "danger-full-access would lift what it denies", hint)
    elif not profile.is_told:
        reason = _mismatch(profile, request, had_proxy)
        return Terms(has_policy=False) if reason is None else Terms(_refused(profile, f"{_UNREPORTED}: {reason}"))
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
    """Whether a reported profile, unmodified, allows all the writes and network that a turn requests."""
    written = {path for path, access in profile.rules.items() if access == "write"}
    wanted = {_ROOTS, *_TEMPORARY} if request.sandbox is Sandbox.WORKSPACE_WRITE else set()
    is_written = wanted <= written or any(path in written for path in _EVERYTHING)
    is_reached = profile.has_network or not request.has_network
    return profile.is_told and request.sandbox is not Sandbox.DANGER_FULL_ACCESS and is_written and is_reached


def denied_by_name(profile: PermissionProfile, request: TurnRequest) -> tuple[str, ...]:
    """The paths that a profile denies by name, in a turn whose commands may write: absolute, or `~/…`.

    If there is no such file, Codex creates one while a command runs (`disk.mount_targets`). For a glob it only searches
    for files, and it creates nothing if no command may write (observed on 0.163.0 and 0.171.0).
    """
    if request.sandbox is Sandbox.READ_ONLY and request.approval is Approval.NEVER:
        return ()
    paths = [path.replace(_ROOTS, request.work_dir, 1) for path, access in profile.rules.items() if access == "deny"]
    return tuple(path for path in paths if path.startswith(("/", "~/")) and not _GLOB & set(path))


def _refused(profile: PermissionProfile, why: str, hint: str | None = None) -> TurnError:
    message = f"Codex's configuration runs everything under the permission profile {profile.name!r}, and {why}."
    return make_error(ErrorKind.SANDBOX, message, hint=hint or (_DEFINE if profile.is_told else _ALLOWED))


def _loss(profile: PermissionProfile, request: TurnRequest) -> str | None:
    """What the turn's own policy would drop of a profile besides its denials, as text; None for nothing."""
    if not profile.reads_all:
        return "it limits what may be read, which Codex keeps for no other policy than its own"
    read_alone = {path for path, access in profile.rules.items() if access == "read"} - _BROAD
    is_opened = request.sandbox is Sandbox.WORKSPACE_WRITE and read_alone
    return "--write would open what it lets be read alone" if is_opened else None


def _mismatch(profile: PermissionProfile, request: TurnRequest, had_proxy: bool) -> str | None:
    """Why an unreported profile cannot run this turn unmodified, as text; None if it can."""
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
    """Whether an unmodified profile allows exactly what the turn requests."""
    written = {path for path, access in profile.rules.items() if access == "write"}
    wanted = {_ROOTS, *request.writable_roots} if request.sandbox is Sandbox.WORKSPACE_WRITE else set()
    spare = {*_TEMPORARY} if wanted else set()
    return profile.has_network == request.has_network and wanted <= written <= wanted | spare
