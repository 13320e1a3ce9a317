# SPDX-License-Identifier: Apache-2.0
"""Keys and signatures, apart from what they sign.

``minisign`` is the format of public keys and signatures, ``ed25519`` verifies in pure Python where no library is
installed, ``secret_key`` makes keys and signatures, ``trust_file`` remembers whose keys this machine trusts, ``cms``
signs and verifies with certificates. ``image_rules`` decides whether an image is signed as required: by a
``verification_key``, or ``keyless``, by a certificate against a ``trusted_root``. This room knows no bundle and asks
nobody anything.
"""
