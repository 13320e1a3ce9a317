# SPDX-License-Identifier: Apache-2.0
"""The parts of ``airgap migrate``: one registry's images into another, without a bundle between them.

``side`` what either registry is asked · ``choice`` which tags are wanted · ``listing`` what the source has, by each way
that it lists · ``compare`` what the target lacks · ``moving`` copies that in batches · ``journal`` what an earlier run
did · ``report`` what is on one side only. Only small facts of each tag are kept for the whole run; manifests are read,
and forgotten, batch by batch. It deletes nothing.
"""
