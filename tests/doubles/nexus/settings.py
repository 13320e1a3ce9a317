# SPDX-License-Identifier: Apache-2.0
"""What a Nexus is set up as: profile, repositories, users, and a switch for each thing that no source establishes.

Numbers in parentheses are the contract's statements. ``None`` means *as the profile does it*. A mark after the number:
D documented, O observed, A asserted, I inferred.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Profile = Literal["legacy", "3.71", "3.8x", "3.96"]
PROFILES: tuple[Profile, ...] = ("legacy", "3.71", "3.8x", "3.96")
Kind = Literal["hosted", "group", "proxy"]
Policy = Literal["ALLOW", "ALLOW_ONCE", "DENY"]
Location = Literal["path", "prefixed", "absolute", "internal", "http", "relative"]
Link = Literal["right", "bare", "prefixed", "none"]
ErrorStyle = Literal["json", "html", "text", "reason"]
Realm = Literal["right", "null", "http443"]

VERSIONS = {"legacy": "3.70.1-02", "3.71": "3.71.0-06", "3.8x": "3.87.1-01", "3.96": "3.96.3-01"}
DOCKER_REALM, OCI_REALM = "DockerToken", "OciBearerToken"
BASIC_REALMS = ("NexusAuthenticatingRealm", "NexusAuthorizingRealm")
EVERYTHING = frozenset({"browse", "read", "edit", "add", "delete"})
#: The host that ``location="internal"`` names: a service that is known inside the server's cluster alone.
INTERNAL = "nexus-internal.invalid:8081"


@dataclass(frozen=True)
class User:
    """``actions`` are those of ``nx-repository-view-docker-<repository>-<action>``, on ``repositories`` or on all."""

    name: str
    password: str
    actions: frozenset[str] = EVERYTHING
    repositories: tuple[str, ...] | None = None
    admin: bool = False

    def may(self, action: str, repository: str) -> bool:
        return self.admin or (action in self.actions and (self.repositories is None or repository in self.repositories))


ADMIN = User("admin", "admin-word", admin=True)
#: The role that section 3 gives for pushing: add, edit, read, browse.
PUSHER = User("carrier", "carrier-word", frozenset({"add", "edit", "read", "browse"}))
READER = User("reader", "reader-word", frozenset({"read", "browse"}))
STRANGER = User("stranger", "stranger-word", frozenset())


@dataclass(frozen=True)
class Repository:
    """One repository. ``connector`` opens a port of its own (one repository a port): ``dead`` is a port that the
    settings name and nothing listens on. ``members`` are a group's, ``remote`` names the repository that a proxy
    fetches from. ``format`` is docker, oci (3.94 and later) or another, of which only uploads by REST are played."""

    name: str
    kind: Kind = "hosted"
    format: str = "docker"
    connector: Literal["http", "https", "dead"] | None = None
    subdomain: str | None = None
    path_enabled: bool = False
    force_basic: bool = True
    online: bool = True
    write_policy: Policy = "ALLOW"
    latest_policy: bool = False
    #: Of format oci: ``KEYLESS`` gives out only what has a cosign signature (REST schema of 3.95; the refusal of a
    #: pull is not established and not played).
    cosign: Literal["NONE", "KEYLESS"] = "NONE"
    members: tuple[str, ...] = ()
    remote: str = ""
    #: Of format apt: the suite, and what makes an InRelease of a Release (``None``: not played, there is none).
    distribution: str = "bookworm"
    sign: Callable[[bytes], bytes] | None = None
    #: Of format apt: so many questions for an index find nothing in it (np#725), ``-1`` all of them (np#907).
    index_lag: int = 0

    @property
    def is_registry(self) -> bool:
        return self.format in ("docker", "oci")


HOSTED = Repository("docker-hosted", connector="http")


@dataclass(frozen=True)
class Settings:
    """Everything that decides how the double behaves; what changes while it runs is on the double itself."""

    profile: Profile = "3.96"
    repositories: tuple[Repository, ...] = (HOSTED,)
    users: tuple[User, ...] = (ADMIN, PUSHER, READER, STRANGER)
    edition: Literal["OSS", "COMMUNITY", "PRO"] | None = None
    #: The main port's context path, such as ``/nexus``; connectors have none.
    context: str = ""
    server_header: bool = True  # (2 O) off: what a proxy in front leaves of it
    frozen: bool = False  # (9 D)
    eula_accepted: bool = True  # section 3; False is a CE's first run: no writing (I)
    quota_violated: bool = False  # section 2: soft, seen by REST alone

    # Who asks
    anonymous: bool = False
    anonymous_actions: frozenset[str] = frozenset({"read", "browse"})
    anonymous_without_token: bool = False  # (not established) whether a bare GET is served without the token's round
    realms: tuple[str, ...] = (*BASIC_REALMS, DOCKER_REALM)
    scope: bool | None = None  # (5 O) a scope in the challenge: 3.96 and older yes, 3.87 no
    path_realm: Literal["repository", "base"] | None = None  # (5 O) on the path route
    #: (not established) whether the token's URL on the repository's path has the prefix, as (5) reads; a proxy that
    #: hides the prefix needs it bare, or must let ``/repository/`` through too.
    repository_realm: Literal["prefixed", "bare"] = "prefixed"
    realm: Realm = "right"  # (44 O) null:// of 3.77, http://…:443 of wrong forwarded headers
    #: (47 O) the realm's port twice wherever X-Forwarded-Host has one: 3.78 to 3.80.
    doubles_port: bool = False
    #: (46) whether REST without credentials answers 401 with a challenge; else 403 without one. By profile and
    #: anonymous access: on 3.96 with anonymous access off.
    rest_challenge: bool | None = None
    #: (not established) whether the 401 to a request without Authorization names the anonymous user.
    names_anonymous: bool = False
    token_seconds: float | None = None  # (not established) how long a token lives
    tokens_per_repository: bool = False  # np#873: another repository's token is refused
    path_anonymous: bool = True  # np#836: False is 3.87.0, where anonymous pull fails on the path route
    #: (12 O) so many failed sign-ins are suffered; -1 never locks. 3.96: 3, before: never.
    lockout: int | None = None
    lockout_seconds: float = 15 * 60

    # How errors look
    errors: ErrorStyle = "json"  # (10 O)
    drains: bool = False  # (11 I) True reads a refused body to its end

    # Uploads
    location: Location = "path"  # (14 I)
    upload_uuid: bool = True  # (15 I)
    upload_range: bool = True  # (15 I)
    mount: bool = False  # (16 I) True answers 201 where the other image of this repository has the blob
    patch_status: Literal[201, 202] = 202  # (19 A)
    patch_new_location: bool = False  # (19 A)
    several_patches: bool = True  # (20 I)
    chunked: bool = True  # (21 I)
    mismatch: tuple[int, str] = (400, "DIGEST_INVALID")  # (22 I)
    unknown_upload: tuple[int, str] = (404, "BLOB_UPLOAD_UNKNOWN")  # (22 I)
    upload_status: bool = True  # (not established) GET of a session
    upload_cancel: bool = True  # (not established) DELETE of a session

    # Blobs and manifests
    blobs_shared: bool = True  # (23 I) False: only under the image name that brought it
    ranges: bool = True  # (25 I)
    manifest_digest: bool = True  # (26 I)
    head_manifest: bool = True  # (29 O) False: HEAD by tag 404 while GET is 200
    schema1: bool | None = None  # (29 O) GET without Accept gives schema 1: legacy
    manifest_length: bool = False  # (30 I for docker; always so for oci) 411 without Content-Length
    oci_images: Literal["accepted", "broken", "refused"] | None = None  # (31 D/O) legacy: broken, see manifests
    zstd: bool = True  # (not established)
    referrers: bool = False  # (31 I)
    head_by_digest_500: bool = False  # (32 O)

    # Listing
    link: Link | None = None  # (34 O)
    ghosts: tuple[str, ...] = ()  # section 6: names in the catalog whose tags/list answers 400

    # Policies
    once_status: int = 400  # (37 O; 38: 409 elsewhere on 3.96)
    once_digest_again: bool = True  # (not established) a manifest PUT by digest a second time under ALLOW_ONCE
    deny_status: int = 400  # (41 A: some 4xx)
    group_push_status: int = 403  # (43 I)
    proxy_push_status: int = 405  # (not established)
    #: (42 O) -1 is none. By edition and profile: CE 100,000, from 3.87 on 40,000; others none.
    component_limit: int | None = None
    components_elsewhere: int = 0  # what other formats hold already
    in_grace: bool = False  # (42) over the limit, and still let in
    #: Section 2: requests of the last 24 hours, failed ones too; -1 is none. By edition and profile: CE 200,000, from
    #: 3.87 on 100,000; others none. What is answered beyond it is (I): no source tells it apart from (42).
    request_limit: int | None = None
    requests_before: int = 0  # how many of today's it had when the double began

    # Failures (44 O)
    commit_500: int = 0  # so many commits of blobs fail with 500
    gateway_504: int = 0  # so many commits of blobs are kept and answered with nginx's 504
    body_limit: int | None = None  # nginx's 413 above so many bytes
    commit_seconds: float = 0.0  # how long the commit of a blob takes
    connector_seconds: float = 0.0  # (not established) how long after REST's answer a new connector opens
    idle: float | None = None  # (D: 30) seconds until an idle connection is closed

    # REST
    page: int | None = None  # (45 O) 10 up to 3.71, then 100
    search_lag: float = 2.0  # (45 O) seconds until search knows a component
    rest_formats: tuple[str, ...] | None = None  # the formats whose uploads REST takes; None is all that are played
    rest_uploads: bool = True  # section 7: False switches them off, 404

    @property
    def modern(self) -> bool:
        """Whether this is 3.83 or later."""
        return self.profile in ("3.8x", "3.96")

    @property
    def version(self) -> str:
        return VERSIONS[self.profile]

    @property
    def edition_name(self) -> str:
        """Community exists since 3.77; before, the free edition was OSS."""
        return self.edition or ("COMMUNITY" if self.modern else "OSS")

    @property
    def rest_challenges(self) -> bool:
        if self.rest_challenge is not None:
            return self.rest_challenge
        return self.profile == "3.96" and not self.anonymous

    @property
    def sign_ins_suffered(self) -> int:
        return self.lockout if self.lockout is not None else (3 if self.profile == "3.96" else -1)

    @property
    def page_size(self) -> int:
        return self.page or (100 if self.modern else 10)

    @property
    def limit(self) -> int:
        if self.component_limit is not None:
            return self.component_limit
        if self.edition_name != "COMMUNITY":
            return -1
        return 40_000 if self.modern else 100_000

    @property
    def requests_a_day(self) -> int:
        if self.request_limit is not None:
            return self.request_limit
        if self.edition_name != "COMMUNITY":
            return -1
        return 100_000 if self.modern else 200_000

    @property
    def oci(self) -> str:
        return self.oci_images or ("broken" if self.profile == "legacy" else "accepted")

    @property
    def serves_schema1(self) -> bool:
        return self.schema1 if self.schema1 is not None else self.profile == "legacy"
