# SPDX-License-Identifier: Apache-2.0
"""What Sonatype Nexus does its own way: routes, refusals in its own words, a REST API beside the registry.

``known`` recognises it · ``routes`` finds the way in and what nodes will pull · ``refusals`` says what its answers
mean · ``repository`` pushes past its quirks · ``rest`` asks its settings · ``components`` lists what a repository has ·
``target`` puts these together. Nothing
here relies on what no source establishes: each quirk is handled where it shows, and a server without it is served too.
"""
