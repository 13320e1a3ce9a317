# SPDX-License-Identifier: Apache-2.0
"""Examines one image: first as the node would pull it, then, if it would not, as if each fault on the way were mended.

A fault hides those behind it: behind a certificate that is not trusted nobody sees a missing layer. So the examination
goes on with this program's own trust and login where the node's fail, and with the path that would have been right.
"""

from __future__ import annotations

from collections.abc import Sequence

from airgap.errors import AirgapError, NotFound, Unauthorized, Unavailable
from airgap.oci import Reference
from airgap.oci.manifest import Manifest
from airgap.prove.content import Contents, Route, Step
from airgap.prove.faults import UNREACHABLE, Faults
from airgap.prove.model import Endpoint, Fault, Login, Need, PodPull, PullPlan, Verdict
from airgap.prove.pull_secrets import PullSecrets
from airgap.prove.runtimes import Runtime
from airgap.prove.sessions import Session, Sessions
from airgap.records import Record, replace
from airgap.registry.http.errors import SpeaksHttps, SpeaksPlainHttp, UntrustedCertificate
from airgap.targets import Mapping

#: How many faults one after the other are looked behind: connection, login and path, each perhaps twice.
_MAX_MENDED = 6


class Failure(Record):
    """An address at which an image was not found, and why."""

    endpoint: Endpoint
    error: AirgapError


class Outcome(Record):
    """What came of a pull as the node does it: pulled, if there are no ``failures`` and no ``faults``."""

    failures: tuple[Failure, ...] = ()
    faults: tuple[Fault, ...] = ()
    warnings: tuple[Fault, ...] = ()
    sources: tuple[str, ...] = ()
    pulled: bool = False


class Examiner(Record):
    """Examines images against one target. Thread-safe."""

    runtime: Runtime
    sessions: Sessions
    secrets: PullSecrets
    mapping: Mapping
    faults: Faults
    contents: Contents

    def examine(self, need: Need) -> Verdict:
        """Return whether a node would get the image, for every pod that needs it, and all that is wrong if not."""
        plan = self.runtime.plan(need.reference, need.text)
        if plan.faults:
            return Verdict(need, (*plan.faults, *self._at_target(need)[1]))
        faults: list[Fault] = []
        warnings: list[Fault] = []
        sources: list[str] = []
        for logins, pods in self._groups(need).items():
            outcome = self._pull(plan, need, logins)
            if outcome.pulled:
                sources += outcome.sources
                warnings += outcome.warnings
            else:
                faults += (*plan.remarks, *self._diagnose(plan, need, logins, pods, outcome))
        unique_sources, unique_warnings = tuple(dict.fromkeys(sources)), tuple(dict.fromkeys(warnings))
        return Verdict(need, tuple(dict.fromkeys(faults)), unique_sources, unique_warnings)

    def _groups(self, need: Need) -> dict[tuple[Login, ...], list[PodPull]]:
        """The pods by the logins that are tried for them, in this order."""
        own = self.runtime.logins(need.reference)
        groups: dict[tuple[Login, ...], list[PodPull]] = {}
        for pod in need.pods or (PodPull(""),):
            of_pod = self.secrets.logins(pod, need.reference) if self.runtime.uses_pull_secrets else []
            groups.setdefault((*of_pod, *own), []).append(pod)
        return groups

    def _pull(self, plan: PullPlan, need: Need, logins: Sequence[Login]) -> Outcome:
        """Pull as the node does: with each login until one succeeds, or with none if there is none."""
        outcome = Outcome()
        for login in logins or (None,):
            outcome = self._pull_with(plan, need, login)
            if outcome.pulled:
                break
        return outcome

    def _pull_with(self, plan: PullPlan, need: Need, login: Login | None) -> Outcome:
        reference = need.reference
        steps = [(self._as_node(endpoint, login), endpoint) for endpoint in plan.endpoints]
        failures: list[Failure] = []
        last, ended = Outcome(), -1
        for number, (session, endpoint) in enumerate(steps):
            if endpoint.group == ended or not endpoint.pulls or not (reference.digest or endpoint.resolves):
                continue
            try:
                root = session.manifest(endpoint, reference.identifier)
            except AirgapError as error:
                failures.append(Failure(endpoint, error))
                continue
            route = Route(_from(steps, number) if plan.shares_blobs else ((session, endpoint),))
            try:
                faults, warnings = self.contents.examine(route, need, root)
            except AirgapError as error:
                failures.append(Failure(endpoint, error))
            else:
                if not faults:
                    warnings += self._moved_tag(session, endpoint, reference)
                    return Outcome(warnings=tuple(warnings), sources=(endpoint.host,), pulled=True)
                last = Outcome(faults=tuple(faults), warnings=tuple(warnings))
            if plan.stays or plan.shares_blobs:
                ended = endpoint.group
        return replace(last, failures=tuple(failures))

    def _as_node(self, endpoint: Endpoint, given: Login | None) -> Session:
        login = endpoint.login_for(given)
        return self.sessions.as_node(endpoint, login.credential if login else None)

    def _diagnose(
        self, plan: PullPlan, need: Need, logins: Sequence[Login], pods: Sequence[PodPull], outcome: Outcome
    ) -> list[Fault]:
        """All that keeps an image from being pulled."""
        endpoints = self._meant_endpoints(plan, need)
        if not endpoints:
            at_target, missing = self._at_target(need)
            return [self.faults.not_mirrored(need, asked=plan.endpoints, at_target=at_target), *missing]
        down: list[Fault] = []
        for endpoint in endpoints:
            faults = self._follow(endpoint, need, logins, pods)
            if any(fault.kind != UNREACHABLE for fault in faults):
                return faults
            down += faults
        if down or outcome.faults:
            return down or list(outcome.faults)
        return [self._of_error(failure.endpoint, failure.error) for failure in outcome.failures[:1]]

    def _meant_endpoints(self, plan: PullPlan, need: Need) -> list[Endpoint]:
        """The addresses that are meant to give the image: those at the target first, then other mirrors.

        For an image of the target itself, those that the node is told; the registry's own address if it is told none.
        """
        registry = need.reference.registry
        usable = [e for e in plan.endpoints if e.pulls and (need.reference.digest or e.resolves)]
        told = [endpoint for endpoint in usable if endpoint.origin]
        if registry == self.mapping.address.registry:
            return told or usable
        mirrors = [endpoint for endpoint in told if endpoint.host != registry]
        return sorted(mirrors, key=lambda endpoint: endpoint.host not in self.sessions.target_hosts)

    def _follow(self, endpoint: Endpoint, need: Need, logins: Sequence[Login], pods: Sequence[PodPull]) -> list[Fault]:
        """Ask one address; where that fails, note the fault and ask as if it were mended."""
        login = endpoint.login_for(logins[0] if logins else None)
        credential = login.credential if login else None
        session = self.sessions.as_node(endpoint, credential)
        name = need.reference.identifier
        found: list[Fault] = []
        trusted = verified = signed_in = False
        for _ in range(_MAX_MENDED):
            try:
                root = session.manifest(endpoint, name)
                missing, _warnings = self.contents.examine(Route(((session, endpoint),)), need, root)
                return [*found, *missing]
            except (UntrustedCertificate, SpeaksPlainHttp, SpeaksHttps) as error:
                if not trusted:
                    found.append(self._of_error(endpoint, error))
                    session, trusted = self.sessions.as_user(endpoint, credential), True
                elif not verified:
                    plain = isinstance(error, SpeaksPlainHttp)
                    session, verified = self.sessions.unverified(endpoint.host, plain=plain), True
                else:
                    return found
            except Unauthorized as error:
                if verified and credential is not None:
                    return found  # whether the node's login is right cannot be seen without sending it
                if signed_in:
                    return found
                found += [self.faults.unauthorised(endpoint, need, pod, self.secrets, login, error) for pod in pods]
                session, signed_in = self.sessions.signed_in(endpoint), True
            except NotFound as error:
                mended = self._other_path(session, endpoint, name)
                if mended is None:
                    return [*found, self._missing(session, endpoint, need, error)]
                found.append(self.faults.path(endpoint, mended))
                endpoint = mended
            except AirgapError as error:
                return [*found, self._of_error(endpoint, error)]
        return found

    def _of_error(self, endpoint: Endpoint, error: AirgapError) -> Fault:
        if isinstance(error, UntrustedCertificate):
            return self.faults.untrusted(endpoint, error)
        if isinstance(error, SpeaksPlainHttp):
            return self.faults.plain_http(endpoint)
        if isinstance(error, SpeaksHttps):
            return self.faults.https(endpoint)
        if isinstance(error, Unavailable):
            return self.faults.unreachable(endpoint, error)
        return self.faults.refused(endpoint, error)

    def _missing(self, session: Session, endpoint: Endpoint, need: Need, error: NotFound) -> Fault:
        reference = need.reference
        if error.status not in (0, 404):
            return self.faults.refused(endpoint, error)
        if not reference.digest:
            return self.faults.missing_image(endpoint, reference)
        return self.faults.missing_digest(endpoint, reference, self._digest_of_tag(session, endpoint, reference))

    def _digest_of_tag(self, session: Session, endpoint: Endpoint, reference: Reference) -> str:
        try:
            return session.manifest(endpoint, reference.tag).descriptor.digest if reference.tag else ""
        except AirgapError:
            return ""

    def _moved_tag(self, session: Session, endpoint: Endpoint, reference: Reference) -> list[Fault]:
        if not (reference.digest and reference.tag):
            return []
        found = self._digest_of_tag(session, endpoint, reference)
        return [] if found == reference.digest else [self.faults.moved_tag(endpoint, reference, found)]

    def _other_path(self, session: Session, endpoint: Endpoint, name: str) -> Endpoint | None:
        """The path at which the registry has what a mirror is asked for at a wrong one."""
        for path in _other_paths(endpoint):
            mended = replace(endpoint, path=path, overrides_path=True)
            try:
                session.manifest(mended, name)
            except NotFound:
                continue
            except AirgapError:
                return None
            return mended
        return None

    def _at_target(self, need: Need) -> tuple[Reference | None, list[Fault]]:
        """The name under which the target has an image, or that it lacks it; neither if it does not say."""
        located = self.mapping.locate(need.reference)
        host = self.mapping.address.registry
        session = self.sessions.at_target()
        endpoint = Endpoint("https", host, located.repository)
        try:
            root: Manifest = session.manifest(endpoint, located.identifier)
            missing, _warnings = self.contents.examine(Route(((session, endpoint),)), need, root)
        except NotFound as error:
            return None, [self._missing(session, endpoint, replace(need, reference=located), error)]
        except AirgapError:
            return None, []
        return located, missing


def _from(steps: Sequence[Step], number: int) -> tuple[Step, ...]:
    """All addresses, the one that gave the first manifest before the others."""
    return (steps[number], *(step for place, step in enumerate(steps) if place != number))


def _other_paths(endpoint: Endpoint) -> list[str]:
    """The paths that the author of a mirror's address may have meant: below ``/v2`` or as it is written."""
    if not endpoint.origin:
        return []
    if endpoint.overrides_path:
        return [] if endpoint.path.startswith("/v2") else [f"/v2{endpoint.path}"]
    written = endpoint.path.removesuffix("/v2")
    if not written:
        return []
    return [written] if written.startswith("/v2") else [f"/v2{written}", written]
