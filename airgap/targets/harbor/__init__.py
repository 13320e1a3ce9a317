# SPDX-License-Identifier: Apache-2.0
"""Harbor as a target: its projects, robot accounts and refusals."""
