# SPDX-License-Identifier: Apache-2.0
"""What airgap knows of Harbor: ``detection`` recognizes it, ``projects`` is its API, ``target`` combines these."""
