# SPDX-License-Identifier: Apache-2.0
"""``airgap migrate``: copy one registry's images into another, without a bundle between them.

``migrate`` is the flow and calls the other modules in this order: ``source_listing`` with ``nexus_components`` lists
the source's tags; ``comparison`` with ``tag_selection``, ``tag_filter`` and ``image_dates`` decides what the target
lacks; ``batch_copy`` copies that; ``untagged`` finds manifests without a tag; ``report`` describes the result.
``migration`` and ``registry_view`` hold what they share; ``journal`` keeps what was done for the next run.

Only small facts about each tag are kept for the whole run. Manifests are read batch by batch. Nothing is deleted.
"""
