# SPDX-License-Identifier: Apache-2.0
"""The search for values, against charts that are functions here: every form in which charts make up an image, and
what cannot be moved is told. tests/flows/test_charts.py does it with the real helm."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airgap.errors import ResourceError
from airgap.kube import scan
from airgap.kube.render.solver import Solved, solve
from airgap.oci import Reference
from airgap.targets import Mapping as TargetMapping
from airgap.targets import TargetAddress

D1, D2 = (f"sha256:{sign * 64}" for sign in "12")
Template = Callable[[dict[str, Any]], list[str]]


def pods(images: list[str], args: list[str] | None = None) -> bytes:
    """A Pod for each image."""
    return "".join(
        "---\n"
        + json.dumps({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"image": i, "args": args}]}})
        + "\n"
        for i in images
    ).encode()


class Chart:
    """A template as a function of values, with every rendering counted."""

    def __init__(self, values: dict[str, Any], template: Template) -> None:
        self.values, self.template, self.renderings = values, template, 0

    def __call__(self, extra: Mapping[str, Any]) -> bytes:
        self.renderings += 1
        return pods(self.template(merge(copy.deepcopy(self.values), extra)))


def merge(old: Any, new: Any) -> Any:
    if isinstance(old, dict) and isinstance(new, Mapping):
        return {**old, **{key: merge(old.get(key), value) for key, value in new.items()}}
    return new


def solved(chart: Chart, policy: str = "basename", to: str = "t.example:5000/pre") -> tuple[Solved, list[str]]:
    """The solution, and the images of a rendering with it that nobody had a hand in."""
    mapping = TargetMapping(TargetAddress.parse(to), policy)
    base = chart({})
    goals = {site.reference: mapping.locate(site.reference) for site in scan(base, "x").sites}
    found = solve(chart.values, base, goals, chart, "x")
    images = chart.template(merge(copy.deepcopy(chart.values), found.values))
    assert found.content == pods(images)
    wanted = {str(goal) for goal in goals.values()}
    stays = [image for image in images if str(Reference.parse(image)) not in wanted]
    assert [site.value for site in found.unmoved] == stays
    return found, images


def test_one_value_is_one_image() -> None:
    found, images = solved(Chart({"image": "quay.io/a/x:1"}, lambda v: [v["image"]]))
    assert (found.values, images, found.unmoved) == (
        {"image": "t.example:5000/pre/x:1"},
        ["t.example:5000/pre/x:1"],
        (),
    )


def test_a_registry_and_a_repository() -> None:
    values = {"image": {"registry": "quay.io", "repository": "a/x", "tag": "1.10"}}
    chart = Chart(values, lambda v: ["{registry}/{repository}:{tag}".format(**v["image"])])
    found, _ = solved(chart)
    assert found.values == {"image": {"registry": "t.example:5000", "repository": "pre/x"}}
    assert found.unmoved == ()
    found, _ = solved(chart, "path", "t.example")
    assert found.values == {"image": {"registry": "t.example"}}


def test_what_shares_a_registry_is_solved_together() -> None:
    values = {"registry": "quay.io", "aImage": "team/a:1", "bImage": "b", "tag": "2"}
    chart = Chart(values, lambda v: [f"{v['registry']}/{v['aImage']}", f"{v['registry']}/{v['bImage']}:{v['tag']}"])
    found, images = solved(chart)
    assert images == ["t.example:5000/pre/a:1", "t.example:5000/pre/b:2"]
    assert found.values == {"registry": "t.example:5000", "aImage": "pre/a:1", "bImage": "pre/b"}


def test_a_name_that_the_template_says_decides_what_the_shared_registry_becomes() -> None:
    values = {"registry": "quay.io", "repository": "team/a"}
    chart = Chart(values, lambda v: [f"{v['registry']}/fixed:1", f"{v['registry']}/{v['repository']}:1"])
    found, images = solved(chart)
    assert images == ["t.example:5000/pre/fixed:1", "t.example:5000/pre/a:1"]
    assert found.values == {"registry": "t.example:5000/pre", "repository": "a"}


def test_a_hub_moves_and_names_stay() -> None:
    """A template that takes a name with a slash for the whole image, so that only one cut is right."""
    values = {"hub": "docker.io/mesh", "image": "pilot", "tag": "1"}
    chart = Chart(values, lambda v: [v["image"] if "/" in v["image"] else f"{v['hub']}/{v['image']}:{v['tag']}"])
    assert solved(chart)[0].values == {"hub": "t.example:5000/pre"}
    # Where either cut is right, the one that changes less is taken.
    plain = Chart(values, lambda v: [f"{v['hub']}/{v['image']}:{v['tag']}"])
    assert solved(plain)[0].values == {"hub": "t.example:5000/pre"}


def test_another_cut_is_tried_where_the_first_fails() -> None:
    values = {"registry": "quay.io", "image": "a/x"}

    def template(v: dict[str, Any]) -> list[str]:
        return [f"{v['registry']}/{v['image']}:1" if v["image"].count("/") != 1 or v["image"] == "a/x" else "broken:1"]

    found, images = solved(Chart(values, template))
    assert images == ["t.example:5000/pre/x:1"]
    assert found.values == {"registry": "t.example:5000/pre", "image": "x"}


def test_values_that_mean_something_else_too_are_left_alone() -> None:
    values = {"name": "redis", "image": {"repository": "redis", "tag": "7"}, "class": "redis"}
    chart = Chart(values, lambda v: ["{repository}:{tag}".format(**v["image"])])
    assert solved(chart)[0].values == {"image": {"repository": "t.example:5000/pre/redis"}}


def test_keys_that_say_nothing_are_asked_where_others_give_no_answer() -> None:
    chart = Chart({"app": {"what": "redis", "v": "7"}}, lambda v: [f"{v['app']['what']}:{v['app']['v']}"])
    assert solved(chart)[0].values == {"app": {"what": "t.example:5000/pre/redis"}}


@pytest.mark.parametrize("declared", [{"global": {"imageRegistry": ""}}, {"global": {}}, {}])
def test_a_registry_that_only_the_template_has_by_default(declared: dict[str, Any]) -> None:
    values = {**declared, "image": {"repository": "a/x"}}

    def template(v: dict[str, Any]) -> list[str]:
        return [f"{v.get('global', {}).get('imageRegistry') or 'docker.io'}/{v['image']['repository']}:1"]

    found, _ = solved(Chart(values, template))
    assert found.values == {"global": {"imageRegistry": "t.example:5000"}, "image": {"repository": "pre/x"}}


def test_hard_coded_images_are_told_and_move_nothing() -> None:
    values = {"image": "quay.io/a/x:1", "name": "fixed", "empty": {"registry": ""}}
    found, images = solved(Chart(values, lambda v: [v["image"], "quay.io/a/fixed:2"]))
    assert images == ["t.example:5000/pre/x:1", "quay.io/a/fixed:2"]
    assert [str(site.reference) for site in found.unmoved] == ["quay.io/a/fixed:2"]
    assert found.values == {"image": "t.example:5000/pre/x:1"}


def test_what_is_at_the_target_stays() -> None:
    chart = Chart({"image": "t.example:5000/pre/x:1"}, lambda v: [v["image"]])
    assert solved(chart)[0].values == {}
    assert chart.renderings < 5


def test_a_value_that_the_chart_refuses_to_have_changed() -> None:
    values = {"a": {"image": "quay.io/a/x:1"}, "b": {"image": "quay.io/a/y:1"}, "c": {"image": "quay.io/a/z:1"}}

    def template(v: dict[str, Any]) -> list[str]:
        if v["b"]["image"] != "quay.io/a/y:1":
            raise ResourceError("the image of b is not yours to change")
        return [v[key]["image"] for key in "abc"]

    found, images = solved(Chart(values, template))
    assert images == ["t.example:5000/pre/x:1", "quay.io/a/y:1", "t.example:5000/pre/z:1"]
    assert "not yours to change" in found.helm_message


def test_a_chart_that_takes_no_change_is_not_asked_for_ever() -> None:
    values: dict[str, Any] = {f"c{n}": {"image": f"quay.io/a/x{n}:1"} for n in range(300)}

    def template(v: dict[str, Any]) -> list[str]:
        if v != values:
            raise ResourceError("set allowOtherImages=true")
        return [one["image"] for one in v.values()]

    chart = Chart(values, template)
    found, images = solved(chart)
    assert len(found.unmoved) == len(images) == 300
    assert found.helm_message == "set allowOtherImages=true"
    assert chart.renderings < 100


def test_only_one_of_two_can_be_had() -> None:
    """Two images of one value whose targets differ: what is possible is done, and the other told."""
    chart = Chart({"image": "quay.io/a/x"}, lambda v: [f"{v['image']}:1", f"{v['image']}-extra:1"])
    found, images = solved(chart, "full")
    assert images == ["t.example:5000/pre/quay.io/a/x:1", "t.example:5000/pre/quay.io/a/x-extra:1"]
    chart = Chart({"image": "quay.io/a/x"}, lambda v: [f"{v['image']}:1", f"{v['image']}:2"])
    base = chart({})
    first, second = (site.reference for site in scan(base, "x").sites)
    goals = {first: Reference.parse("t.example/one:1"), second: Reference.parse("t.example/two:2")}
    found = solve(chart.values, base, goals, chart, "x")
    assert found.values["image"] in ("t.example/one", "t.example/two")
    assert len(found.unmoved) == 1


def test_digests_that_platforms_changed() -> None:
    values = {"a": {"image": f"quay.io/a/x@{D1}"}, "b": {"repository": "quay.io/a/x", "sha": D1[7:]}}

    def template(v: dict[str, Any]) -> list[str]:
        return [v["a"]["image"], f"{v['b']['repository']}@sha256:{v['b']['sha']}"]

    chart = Chart(values, template)
    goals = {Reference.parse(f"quay.io/a/x@{D1}"): Reference.parse(f"t.example/x@{D2}")}
    found = solve(values, chart({}), goals, chart, "x")
    assert template(merge(values, found.values)) == [f"t.example/x@{D2}"] * 2
    assert found.unmoved == ()


def test_images_inside_longer_texts_and_lists() -> None:
    text = "run: quay.io/a/x:1 --then quay.io/a/x:1\nkeep: quay.io/a/xy:1\nno: quay.io/a/x-data\n"
    values = {"list": ["a", {"image": "quay.io/a/x:1", "n": 1}], "config": text}

    def template(v: dict[str, Any]) -> list[str]:
        words = v["config"].split()
        return [v["list"][1]["image"], words[1], words[3], words[5]]

    found, images = solved(Chart(values, template))
    assert images == [f"t.example:5000/pre/{name}:1" for name in ("x", "x", "x", "xy")]
    assert found.values["config"].endswith("\nno: quay.io/a/x-data\n")
    assert found.values["list"] == ["a", {"image": "t.example:5000/pre/x:1", "n": 1}]


HOSTS = st.sampled_from(["quay.io", "docker.io", "r.example:5000", "localhost:1"])
PATHS = st.lists(st.sampled_from(["a", "team", "x", "y-z", "lib.core"]), min_size=1, max_size=3)
TAGS = st.sampled_from(["1", "1.10", "v2"])
FORMS = ["whole", "name", "split", "hub", "global"]
IMAGES = st.lists(st.tuples(HOSTS, PATHS, TAGS, st.sampled_from(FORMS)), min_size=1, max_size=5)


@settings(deadline=None, max_examples=60)
@given(IMAGES, st.sampled_from(["basename", "path", "full"]), st.sampled_from(["t.example", "t.example:5000/pre"]))
def test_every_form_by_every_policy(images: list[tuple[str, list[str], str, str]], policy: str, to: str) -> None:
    values: dict[str, Any] = {"global": {"registry": "g.example"}}
    for number, (host, path, tag, form) in enumerate(images):
        name = "/".join(path)
        values[f"i{number}"] = {
            "whole": {"image": f"{host}/{name}:{tag}"},
            "name": {"repository": f"{host}/{name}", "tag": tag},
            "split": {"registry": host, "repository": name, "tag": tag},
            "hub": {"hub": "/".join([host, *path[:-1]]), "image": path[-1], "tag": tag},
            "global": {"repository": name, "tag": tag},
        }[form]

    def template(v: dict[str, Any]) -> list[str]:
        made = []
        for number, (*_, form) in enumerate(images):
            one = {"g": v["global"]["registry"], **v[f"i{number}"]}
            pattern = {
                "whole": "{image}",
                "name": "{repository}:{tag}",
                "split": "{registry}/{repository}:{tag}",
                "hub": "{hub}/{image}:{tag}",
                "global": "{g}/{repository}:{tag}",
            }[form]
            made.append(pattern.format(**one))
        return made

    found, _ = solved(Chart(values, template), policy, to)
    assert found.unmoved == ()


def resource(spec: dict[str, Any]) -> bytes:
    """A custom resource, whose operator joins what is under repository, image and version."""
    return json.dumps({"apiVersion": "o.example/v1", "kind": "Cluster", "spec": spec}).encode()


def joined_by_an_operator(content: bytes) -> list[str]:
    return ["{repository}/{image}:{version}".format(**part) for part in json.loads(content)["spec"].values()]


@pytest.mark.parametrize("policy", ["basename", "path", "full"])
@pytest.mark.parametrize("fixed", ["", "repository", "image"])
def test_what_an_operator_joins(fixed: str, policy: str) -> None:
    """Values that are passed on under separate keys. The name must not get the registry while its key keeps the old."""
    values = {
        "driver": {"repository": "nvcr.io/vendor", "image": "driver", "version": "550"},
        "toolkit": {"repository": "nvcr.io/vendor/k8s", "image": "toolkit", "version": "v1"},
    }

    def render(extra: Mapping[str, Any]) -> bytes:
        spec = merge(copy.deepcopy(values), extra)
        if fixed:
            spec["driver"][fixed] = values["driver"][fixed]
        return resource(spec)

    mapping = TargetMapping(TargetAddress.parse("10.0.0.1:5000/pre"), policy)
    base = render({})
    goals = {site.reference: mapping.locate(site.reference) for site in scan(base, "x").sites}
    found = solve(values, base, goals, render, "x")
    driver, toolkit = joined_by_an_operator(found.content)
    assert toolkit == str(goals[Reference.parse("nvcr.io/vendor/k8s/toolkit:v1")])
    if fixed == "repository":
        assert driver == "nvcr.io/vendor/driver:550"  # not nvcr.io/vendor/10.0.0.1:5000/…
        assert [str(site.reference) for site in found.unmoved] == ["nvcr.io/vendor/driver:550"]
    else:
        assert driver == str(goals[Reference.parse("nvcr.io/vendor/driver:550")])
        assert found.unmoved == ()


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ({"image": {}}, {"image": {"registry": "t.example:5000", "repository": "pre/x"}}),
        ({"image": {"registry": None}}, {"image": {"registry": "t.example:5000", "repository": "pre/x"}}),
        ({"image": {"repository": ""}}, {"image": {"registry": "t.example:5000", "repository": "pre/x"}}),
        ({"sub": {"image": {}}}, {"sub": {"image": {"registry": "t.example:5000", "repository": "pre/x"}}}),
    ],
)
def test_an_image_that_is_empty_in_the_values(declared: dict[str, Any], expected: dict[str, Any]) -> None:
    def template(v: dict[str, Any]) -> list[str]:
        image = (v.get("sub") or v)["image"]
        return [f"{image.get('registry') or 'quay.io'}/{image.get('repository') or 'a/x'}:1"]

    found, _ = solved(Chart(declared, template))
    assert (found.values, found.unmoved) == (expected, ())


@pytest.mark.parametrize("switch", [True, False])
def test_a_boolean_that_adds_to_the_name(switch: bool) -> None:
    values = {"fips": switch, "image": {"repository": "quay.io/a/x", "tag": "1"}}
    chart = Chart(values, lambda v: [f"{v['image']['repository']}{'-fips' if v['fips'] else ''}:{v['image']['tag']}"])
    found, _ = solved(chart)
    assert (found.values, found.unmoved) == ({"image": {"repository": "t.example:5000/pre/x"}}, ())


def test_a_value_that_is_a_template() -> None:
    values = {"registry": "quay.io", "image": "{{ .Values.registry }}/a/x:{{ .Chart.AppVersion }}"}

    def template(v: dict[str, Any]) -> list[str]:
        image = v["image"].replace("{{ .Values.registry }}", v["registry"])
        return [image.replace("{{ .Chart.AppVersion }}", "1.2")]

    found, images = solved(Chart(values, template))
    assert images == ["t.example:5000/pre/x:1.2"]
    assert found.values == {"image": "t.example:5000/pre/x:{{ .Chart.AppVersion }}"}


def test_a_chart_that_refuses_keys_that_it_does_not_have() -> None:
    """A strict schema, and one image that no value moves: the search for it must not use up what the others need."""
    values: dict[str, Any] = {f"c{n}": {"image": {"repository": f"quay.io/a/x{n}"}} for n in range(100)}

    def template(v: dict[str, Any]) -> list[str]:
        if any(one["image"].keys() != {"repository"} for one in v.values()):
            raise ResourceError("additional properties are not allowed")
        return [f"{one['image']['repository']}:1" for one in v.values()] + ["quay.io/a/fixed:1"]

    chart = Chart(values, template)
    found, _ = solved(chart)
    assert [str(site.reference) for site in found.unmoved] == ["quay.io/a/fixed:1"]
    assert chart.renderings < 150
