# SPDX-License-Identifier: Apache-2.0
"""Files of other formats than images: collected at export, carried as OCI artifacts, put where clients ask.

- ``artifact`` is one file with its name and version, ``manifest`` its OCI manifest, ``settings`` an entry of
  ``artifacts:`` in airgap.yaml;
- ``collect`` turns entries into files on the disk: each format's resolver names them, ``download`` fetches them, and
  ``lock`` holds what an earlier run resolved;
- ``repository`` says what every repository of the far side does, ``put`` is the simplest one; ``publish`` has those of
  Nexus and plain folders, and the store through which a copy fills them;
- ``web`` is HTTP, ``workspace`` what resolvers work with;
- ``formats`` has one module or package for each format, all of them with the parts that ``format`` describes.

To add a format, write its module in ``formats`` and name it in ``formats.MODULES``. Nothing here knows Kubernetes.
"""
