# SPDX-License-Identifier: Apache-2.0
"""The faults by name: what each says, and the command that mends it."""

from __future__ import annotations

from collections.abc import Sequence

from airgap.errors import AirgapError
from airgap.formatting import quoted
from airgap.i18n import tr
from airgap.oci import Platform, Reference
from airgap.prove.model import Endpoint, Fault, Login, Need, PodPull
from airgap.prove.pull_secrets import PullSecrets, hosts_of
from airgap.records import Record, replace
from airgap.targets import TargetAddress

#: The kind of the fault of an address that does not answer: others may say more.
UNREACHABLE = "unreachable"


class Faults(Record):
    """Makes the faults for one target, known by ``target_hosts``, and one runtime. ``ca_file`` is for commands."""

    target: TargetAddress
    target_hosts: tuple[str, ...]
    runtime: str
    ca_file: str = ""

    def untrusted(self, endpoint: Endpoint, error: AirgapError) -> Fault:
        """The node does not trust the certificate."""
        ca = quoted(self.ca_file) if self.ca_file else "CA.pem"
        if endpoint.host in self.target_hosts:
            fix = self._hosts(replace(self.target, plain_http=False), "--ca-file", ca)
        else:
            fix = tr("have the node trust the authority of {host} ({file})", host=endpoint.host, file=_origin(endpoint))
        return Fault(
            "untrusted-certificate",
            endpoint.host,
            tr("the node does not trust the certificate of {host} ({what})", host=endpoint.host, what=error.what),
            (fix,),
        )

    def plain_http(self, endpoint: Endpoint) -> Fault:
        """The node speaks HTTPS to a registry of plain HTTP."""
        return Fault(
            "plain-http",
            endpoint.host,
            tr("{host} speaks plain HTTP, and the node asks it by HTTPS", host=endpoint.host),
            (self._hosts(replace(self._at(endpoint), plain_http=True)),),
        )

    def https(self, endpoint: Endpoint) -> Fault:
        """The node speaks plain HTTP to a registry of HTTPS."""
        return Fault(
            "https",
            endpoint.host,
            tr("{host} speaks HTTPS, and the node asks it by plain HTTP", host=endpoint.host),
            (self._hosts(replace(self._at(endpoint), plain_http=False)),),
        )

    def unreachable(self, endpoint: Endpoint, error: AirgapError) -> Fault:
        """The registry does not answer, or not as a registry."""
        return Fault(
            UNREACHABLE,
            endpoint.host,
            tr("{host} cannot be asked: {what}", host=endpoint.host, what=error.what),
            (tr("airgap doctor {url} says more", url=endpoint.url),),
        )

    def refused(self, endpoint: Endpoint, error: AirgapError) -> Fault:
        """The registry answers something else."""
        hint = (error.hint,) if error.hint else ()
        what = tr("{host} refuses: {what}", host=endpoint.host, what=error.what)
        return Fault("refused", f"{endpoint.host} {error.what}", what, hint)

    def path(self, endpoint: Endpoint, mended: Endpoint) -> Fault:
        """A mirror is asked at a path where the registry has nothing, and has the image at another."""
        written = f"{endpoint.url}{mended.path}"
        what = tr(
            "the mirror {url} of {file} is asked below {path}, and has the images below {other}: "
            "override_path is {state}",
            url=endpoint.url, file=_origin(endpoint), path=endpoint.path or "/", other=mended.path,
            state=tr("missing") if not endpoint.overrides_path else tr("set, and /v2 is missing"),
        )  # fmt: skip
        by_hand = tr(
            'or in {file}: [host."{written}"] with override_path = true', file=_origin(endpoint), written=written
        )
        fix = (self._hosts(self.target, "--from", "RECEIPT"), by_hand)
        return Fault("mirror-path", f"{endpoint.url}{endpoint.path}", what, fix)

    def not_mirrored(self, need: Need, *, asked: Sequence[Endpoint], at_target: Reference | None) -> Fault:
        """The image is of another registry, and nothing leads from there to the target."""
        registry = need.reference.registry
        hosts = ", ".join(dict.fromkeys(endpoint.host for endpoint in asked)) or registry
        what = tr(
            "nothing leads from {registry} to {target}: the node would ask {hosts}, which does not give it",
            registry=registry, target=self.target, hosts=hosts,
        )  # fmt: skip
        rewrite = f"airgap rewrite PATH --to {self.target.argument} --output DIR"
        detail = tr("the target has it as {name}", name=str(at_target)) if at_target else ""
        return Fault(
            "not-mirrored",
            registry,
            what,
            (
                rewrite,
                tr("or, for the original names: {command}", command=self._hosts(self.target, "--from", "RECEIPT")),
            ),
            detail,
        )

    def missing_image(self, endpoint: Endpoint, reference: Reference) -> Fault:
        """The registry has no such tag."""
        return Fault(
            "missing-image",
            endpoint.host,
            tr("{host} does not have these images", host=endpoint.host),
            self._bring(reference),
            f"{endpoint.path}/{endpoint.repository}:{reference.identifier}".removeprefix("/v2/"),
        )

    def missing_digest(self, endpoint: Endpoint, reference: Reference, found: str) -> Fault:
        """The registry has no such digest; ``found`` is the one that the tag has there."""
        detail = tr("the tag {tag} is {digest} there", tag=reference.tag, digest=found) if found else reference.digest
        return Fault(
            "missing-digest",
            endpoint.host,
            tr("{host} does not have the digests that these images are pinned to", host=endpoint.host),
            self._bring(reference),
            detail,
        )

    def missing_platform(self, endpoint: Endpoint, platform: Platform, has: Sequence[Platform]) -> Fault:
        """The index has no manifest for the node's platform."""
        has_text = ", ".join(map(str, has)) or tr("no platform at all")
        return Fault(
            "missing-platform",
            f"{endpoint.host} {platform}",
            tr("there is no {platform} in the index of these images", platform=platform),
            (tr("export them again with --platform {platform}, and import that", platform=platform),),
            tr("it has {has}", has=has_text),
        )

    def missing_child(self, endpoint: Endpoint, platform: Platform, digest: str, reference: Reference) -> Fault:
        """The index names a manifest for the platform, and the registry lacks it."""
        return Fault(
            "missing-child",
            f"{endpoint.host} {platform}",
            tr("{host} has the index of these images, and lacks the manifest for {platform} in it",
               host=endpoint.host, platform=platform),
            self._bring(reference),
            digest,
        )  # fmt: skip

    def missing_blobs(self, endpoint: Endpoint, digests: Sequence[str], reference: Reference) -> Fault:
        """The registry lacks layers or the config."""
        return Fault(
            "missing-blob",
            endpoint.host,
            tr("{host} has the manifests of these images, and lacks layers or configs", host=endpoint.host),
            self._bring(reference),
            ", ".join(digests),
        )

    def other_platform(self, platform: Platform, wanted: Platform) -> Fault:
        """A warning: the image is pulled, and does not run."""
        return Fault(
            "other-platform",
            str(wanted),
            tr("these images are for another platform than {wanted}: they are pulled, and will not run", wanted=wanted),
            (),
            tr("it is for {platform}", platform=platform),
        )

    def moved_tag(self, endpoint: Endpoint, reference: Reference, found: str) -> Fault:
        """A warning: the digest is there, and the tag beside it is another."""
        return Fault(
            "moved-tag",
            endpoint.host,
            tr("the tags of these images are missing at {host} or have another digest; the digest decides",
               host=endpoint.host),
            (),
            tr("{tag} is {digest}", tag=reference.tag, digest=found or tr("missing")),
        )  # fmt: skip

    def unauthorised(
        self, endpoint: Endpoint, need: Need, pod: PodPull, secrets: PullSecrets, login: Login | None,
        error: AirgapError,
    ) -> Fault:  # fmt: skip
        """The registry wants a login: why the pod has none, or not the right one."""
        host, namespace = endpoint.host, pod.namespace or "default"
        if login is not None:
            return Fault(
                "login-refused",
                f"{host} {login.origin}",
                tr("{host} refuses the login of {origin}: {what}", host=host, origin=login.origin, what=error.what),
                self._pull_secret(need, namespace, pod),
            )
        if not endpoint.sends_credentials:
            return Fault(
                "mirror-login",
                host,
                tr("the mirror {host} wants a login, and {runtime} sends that of an image to its own registry alone",
                   host=host, runtime=self.runtime),
                (tr("let nodes read the mirror anonymously, or give {runtime} a login for it in its auth file",
                    runtime=self.runtime),),
            )  # fmt: skip
        names = secrets.names_for(pod)
        if not names:
            return Fault(
                "no-pull-secret",
                f"{host} {namespace}",
                tr("{host} wants a login, and pods in the namespace {namespace} have no pull secret for it",
                   host=host, namespace=namespace),
                self._pull_secret(need, namespace, pod),
            )  # fmt: skip
        for name in names:
            secret, others = secrets.secrets.get((namespace, name)), secrets.elsewhere(name, namespace)
            if secret is None and others:
                other = others[0].namespace
                copy = (
                    f"kubectl get secret {quoted(name)} -n {quoted(other)} -o yaml | "
                    f"sed 's/^  namespace: .*/  namespace: {namespace}/' | kubectl apply -f -"
                )
                return Fault(
                    "pull-secret-elsewhere",
                    f"{namespace}/{name}",
                    tr("the pull secret {name} is in the namespace {other}, and the pods that name it are in "
                       "{namespace}", name=name, other=other, namespace=namespace),
                    (copy,),
                )  # fmt: skip
        missing = [name for name in names if (namespace, name) not in secrets.secrets]
        if missing:
            return Fault(
                "pull-secret-missing",
                f"{namespace}/{missing[0]}",
                tr("{host} wants a login, and the pull secret {name} of the namespace {namespace} is not in what was "
                   "read", host=host, name=missing[0], namespace=namespace),
                self._pull_secret(need, namespace, replace(pod, secrets=(missing[0],))),
            )  # fmt: skip
        own = [secrets.secrets[namespace, name] for name in names]
        damaged = next((secret for secret in own if secret.problem), None)
        if damaged is not None:
            what = tr("{secret} cannot be used: {what}", secret=damaged.origin, what=damaged.problem)
            return Fault("pull-secret-damaged", damaged.origin, what, self._pull_secret(need, namespace, pod))
        return Fault(
            "pull-secret-for-others",
            f"{need.reference.registry} {', '.join(secret.origin for secret in own)}",
            tr("{secrets} is for {hosts}, and the kubelet looks for a login by the image's name, {registry}",
               secrets=", ".join(secret.origin for secret in own), hosts=", ".join(hosts_of(own)) or "-",
               registry=need.reference.registry),
            self._pull_secret(need, namespace, pod),
        )  # fmt: skip

    def _pull_secret(self, need: Need, namespace: str, pod: PodPull) -> tuple[str, ...]:
        if need.reference.registry != self.target.registry:
            return (tr("let nodes read anonymously, or rewrite the images to {target}", target=self.target),)
        name = next(iter(pod.secrets), "registry-login")
        login = f"airgap login {replace(self.target, prefix='').argument}"
        hosts = (
            f"airgap hosts {self.target.argument} --for {self.runtime} --pull-secret {quoted(name)} "
            f"--namespace {quoted(namespace)} --output nodes/"
        )
        steps = [login, hosts, "kubectl apply -f nodes/pull-secret.yaml"]
        if not pod.secrets:
            account = quoted(pod.service_account or "default")
            patch = f'{{"imagePullSecrets": [{{"name": "{name}"}}]}}'
            steps.append(f"kubectl patch serviceaccount {account} -n {quoted(namespace)} -p '{patch}'")
        return tuple(steps)

    def _at(self, endpoint: Endpoint) -> TargetAddress:
        return self.target if endpoint.host in self.target_hosts else TargetAddress(endpoint.host)

    def _hosts(self, target: TargetAddress, *more: str) -> str:
        options = "".join(f" {word}" for word in more)
        return f"airgap hosts {target.argument} --for {self.runtime}{options} --root /"

    def _bring(self, reference: Reference) -> tuple[str, ...]:
        return (
            tr("where they can be pulled: {command}", command="airgap export PATH -o missing.tar"),
            f"airgap import missing.tar --to {self.target.argument}",
        )


def _origin(endpoint: Endpoint) -> str:
    return endpoint.origin or tr("no file")
