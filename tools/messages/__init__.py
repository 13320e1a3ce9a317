# SPDX-License-Identifier: Apache-2.0
"""The messages of airgap/: collects them for translators, and finds text that goes around :mod:`airgap.i18n`."""
