# SPDX-License-Identifier: Apache-2.0
"""Login: challenges, tokens, and the credential files of docker and containers."""
