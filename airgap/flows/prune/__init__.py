# SPDX-License-Identifier: Apache-2.0
"""``airgap prune``: delete from a target what airgap brought and no kept release needs.

``prune`` is the flow: it plans, and carries out what was confirmed. ``brought`` reads receipts and the history, which
say what airgap brought; ``kept`` is what must stay, by ``kept_documents``. ``images`` reads the repositories of the
target by ``reading``, chooses tags by ``selection``, and what goes with them by ``chosen``; ``contents`` is what a
repository has. ``deletion`` deletes and reads back.
``files`` does the same for artifacts. ``plan`` holds what they share, ``record`` writes the history.

Nothing is deleted that no receipt and no history says airgap brought, nor a tag that has another digest meanwhile. A
manifest that any other tag of its repository leads to is never deleted.
"""
