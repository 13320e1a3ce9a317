# SPDX-License-Identifier: Apache-2.0
"""Stand-ins for what the tests cannot have or must be able to break: each says what it imitates."""
