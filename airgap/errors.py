# SPDX-License-Identifier: Apache-2.0
"""The errors of this program, and the exit code of each.

    AirgapError                1   anything else
    ├─ UsageError              2   the command line contradicts itself
    ├─ Incomplete              3   some images failed or were left, or some files were not read: listed
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
    │  └─ SignatureFailure    43   a signature, seal, approval or history that is missing or wrong
    ├─ ScanFailure            44   a scan found something, or did not scan everything
    ├─ TargetError            50   collision, tag with another digest, policy
    │  └─ NotReady            51   the target is not ready, or nodes would not get every image
    └─ Interrupted           130   stopped by the user

An error tells *what* happened, *where* (``file:line``, a reference, a digest, or an address without secrets), and in a
*hint* what to do next.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

E = TypeVar("E", bound=BaseException)


class AirgapError(Exception):
    """The base of all errors. ``str(error)`` is one line: where, then what. ``hint`` is the next step, or ``None``.

    ``again`` says that the same command continues, or succeeds once the hint was followed: it is printed for that.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str | None = None, hint: str | None = None, again: bool = False) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.hint = hint
        self.again = again

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" if self.where else self.what


class UsageError(AirgapError):
    """The command line or a configuration is invalid or contradictory."""

    exit_code = 2


class Incomplete(AirgapError):
    """Some images failed (``--keep-going``) or were left by a rewrite, or some files of a folder could not be read."""

    exit_code = 3


class WouldChange(AirgapError):
    """``--check`` has found something to change."""

    exit_code = 4


class ResourceError(AirgapError):
    """A resource file cannot be read, or has no image."""

    exit_code = 10


class InvalidReference(AirgapError):
    """Not a valid image reference, tag or digest."""

    exit_code = 11


class RegistryError(AirgapError):
    """A registry has answered with an error, or with something unusable.

    ``code`` is the error code of the response (distribution-spec "Error Codes"), if it has one. ``status`` is its HTTP
    status, 0 without a response. ``said`` is its text, made printable, and ``digests`` are those in it.
    """

    exit_code = 20
    code = ""
    status = 0
    said = ""
    digests: frozenset[str] = frozenset()


class Unauthorized(RegistryError):
    """Credentials are missing or were refused, or the user lacks a right."""

    exit_code = 21


class NotFound(RegistryError):
    """No such image, tag, blob or layout."""

    exit_code = 22


class Rejected(RegistryError):
    """The registry has refused a request."""

    exit_code = 23


class Unavailable(RegistryError):
    """The registry cannot be reached: name, connection, certificate, or plain HTTP instead of TLS."""

    exit_code = 24


class ContentError(AirgapError):
    """Content that contradicts its descriptor, or that is malformed."""

    exit_code = 30


class DigestMismatch(ContentError):
    """Content that does not match its digest."""

    exit_code = 31


class ContentMissing(ContentError):
    """Content that should be here and is not."""

    exit_code = 32


class BundleError(AirgapError):
    """Not a bundle, a damaged one, or an unreadable file."""

    exit_code = 40


class UnsupportedBundle(BundleError):
    """A bundle of a newer version of this program."""

    exit_code = 41


class OutputError(BundleError):
    """The output cannot be written: folder, rights or space."""

    exit_code = 42


class SignatureFailure(BundleError):
    """A signature, a seal, an approval or the history is missing or wrong."""

    exit_code = 43


class ScanFailure(AirgapError):
    """A scan found something, or did not scan everything."""

    exit_code = 44


class TargetError(AirgapError):
    """The target does not fit: a collision, a tag with another digest, or a policy."""

    exit_code = 50


class NotReady(TargetError):
    """The target, or a resource on this machine, is not ready, or nodes would not get every image."""

    exit_code = 51


class Interrupted(AirgapError):
    """Stopped by the user."""

    exit_code = 130


def without_frames(error: E) -> E:
    """Return ``error`` without its traceback and its causes, to be kept among others.

    The frames of a traceback keep all their variables alive: bodies of responses, for example.
    """
    error.__traceback__ = error.__cause__ = error.__context__ = None
    return error


class Failures(AirgapError):
    """Several errors. The exit code is that of the first one; all are shown."""

    def __init__(self, errors: Sequence[AirgapError]) -> None:
        self.errors = tuple(errors)
        super().__init__("; ".join(str(error) for error in self.errors))
        self.exit_code = self.errors[0].exit_code if self.errors else 1


def raise_all(errors: Iterable[AirgapError]) -> None:
    """Raise the only error, or :class:`Failures` for several. Do nothing without any."""
    collected = list(errors)
    if len(collected) == 1:
        raise collected[0]
    if collected:
        raise Failures(collected)
