# SPDX-License-Identifier: Apache-2.0
"""What earlier versions wrote, and that this one reads it. One folder of data for each version."""
