# SPDX-License-Identifier: Apache-2.0
"""``airgap demo``: export and import on this machine, between two embedded registries.

``demo`` runs the commands, ``images`` makes the images, ``data`` holds the YAML.
"""
