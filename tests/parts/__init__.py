# SPDX-License-Identifier: Apache-2.0
"""Real parts for the tests: other programs started on loopback and in folders of their own, and images to feed them.

Every service is a context manager: it binds a free loopback port or a socket in the test's folder, waits until it
answers, keeps its log beside its data and is ended by its process id. Nothing here touches the user's own
configuration, images or daemons. A program that is missing is a visible skip, see :mod:`tests.parts.need`.
"""
