# SPDX-License-Identifier: Apache-2.0
"""What can go wrong, as one tree in which each class owns its exit code.

    AirgapError                1   anything else
    ├─ UsageError              2   the command line contradicts itself
    ├─ Incomplete              3   --keep-going: some images failed, listed
    ├─ WouldChange             4   --check found something to change
    ├─ ResourceError          10   a resource file, or no image in it
    ├─ InvalidReference       11   an image reference that no registry would take
    ├─ RegistryError          20   a registry answered something unusable
    │  ├─ Unauthorized        21   credentials missing or refused
    │  ├─ NotFound            22   no such image, tag or blob
    │  ├─ Rejected            23   the registry refused what was sent
    │  └─ Unavailable         24   name, connection, certificate, HTTP answered to HTTPS
    ├─ ContentError           30   content that is not what it says
    │  ├─ DigestMismatch      31   bytes that do not hash to their digest
    │  └─ ContentMissing      32   content that should be there and is not
    ├─ BundleError            40   not a bundle, or a damaged one
    │  ├─ UnsupportedBundle   41   made by a newer airgap
    │  ├─ OutputError         42   output folder or space
    │  └─ SignatureFailure    43   a signature that is missing or wrong
    ├─ TargetError            50   collision, tag with another digest, policy
    │  └─ NotReady            51   the target is not ready to be pushed to
    └─ Interrupted           130   stopped by the user

Each error says *what* happened, *where* (``file:line``, a reference, a digest, an address without
secrets) and what to do *next*. The room holds no text of other layers and imports nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence


class AirgapError(Exception):
    """``str(error)`` is one line: where, then what. ``hint`` is the next step, or ``None``."""

    exit_code = 1

    def __init__(self, what: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" if self.where else self.what


class UsageError(AirgapError):
    exit_code = 2


class Incomplete(AirgapError):
    exit_code = 3


class WouldChange(AirgapError):
    exit_code = 4


class ResourceError(AirgapError):
    exit_code = 10


class InvalidReference(AirgapError):
    exit_code = 11


class RegistryError(AirgapError):
    """``code`` is the registry's own word for it (distribution-spec "Error Codes"), where it gave one; ``status`` is
    that of its answer, 0 where none came, and ``said`` what the answer holds, made printable."""

    exit_code = 20
    code = ""
    status = 0
    said = ""


class Unauthorized(RegistryError):
    exit_code = 21


class NotFound(RegistryError):
    exit_code = 22


class Rejected(RegistryError):
    exit_code = 23


class Unavailable(RegistryError):
    exit_code = 24


class ContentError(AirgapError):
    exit_code = 30


class DigestMismatch(ContentError):
    exit_code = 31


class ContentMissing(ContentError):
    exit_code = 32


class BundleError(AirgapError):
    exit_code = 40


class UnsupportedBundle(BundleError):
    exit_code = 41


class OutputError(BundleError):
    exit_code = 42


class SignatureFailure(BundleError):
    exit_code = 43


class TargetError(AirgapError):
    exit_code = 50


class NotReady(TargetError):
    exit_code = 51


class Interrupted(AirgapError):
    exit_code = 130


class Failures(AirgapError):
    """Several errors found while planning: the exit code is the first one's, all are listed."""

    def __init__(self, errors: Sequence[AirgapError]) -> None:
        self.errors = tuple(errors)
        super().__init__("; ".join(str(error) for error in self.errors))
        self.exit_code = self.errors[0].exit_code if self.errors else 1


def raise_all(errors: Iterable[AirgapError]) -> None:
    """Raise what was collected: nothing, the one error itself, or :class:`Failures` with all of them."""
    collected = list(errors)
    if len(collected) == 1:
        raise collected[0]
    if collected:
        raise Failures(collected)
