# SPDX-License-Identifier: Apache-2.0
"""One chart for each shape in which charts name images, and what ``airgap rewrite CHART`` does with it.

tests/flows/test_chart_shapes.py proves each row with helm 3 and helm 4. ``python -m tests.charts.shapes`` writes the
tables of docs/charts.md and docs/charts.ko.md from them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
_FENCE = re.compile(r"(<!-- charts -->\n).*?(<!-- /charts -->)", re.DOTALL)


class ChartShape(NamedTuple):
    """A chart of this folder, and the images that are not at the target: ``left`` with the values file alone, ``helm3``
    and ``helm4`` with the post-renderer too. ``code`` is the exit code without ``--post-renderer``; with it, it is 0.
    """

    name: str
    what: str
    what_ko: str
    images: int
    left: tuple[str, ...] = ()
    helm3: tuple[str, ...] = ()
    helm4: tuple[str, ...] = ()
    code: int = 0


_BUSYBOX = ("docker.io/library/busybox:1.36",)
_WAIT = ("quay.example/shop/wait:1.0",)
_RUNNER = ("quay.example/shop/runner:1",)

SHAPES = (
    ChartShape("test-value", "a pod of `helm test`, its image in a value", "`helm test`의 파드, 이미지는 값에 있음", 2),
    ChartShape("test-fixed", "a pod of `helm test`, its image spelled out by the template",
               "`helm test`의 파드, 이미지는 템플릿에 직접 적힘", 2, _BUSYBOX, _BUSYBOX),
    ChartShape("hook-value", "a hook, its image in a value", "훅, 이미지는 값에 있음", 2),
    ChartShape("hook-fixed", "a hook, its image spelled out by the template", "훅, 이미지는 템플릿에 직접 적힘",
               2, _WAIT, _WAIT),
    ChartShape("operator", "repository, image and version passed on into a custom resource",
               "저장소, 이미지, 버전을 커스텀 리소스에 그대로 전달", 2),
    ChartShape("operator-fixed", "the same, the repository spelled out by the template",
               "위와 같으나 저장소는 템플릿에 직접 적힘", 2, ("nvcr.example/vendor/driver:550.1",), code=3),
    ChartShape("linked", "a dependency that is a symbolic link to a folder outside of the chart",
               "차트 밖의 폴더를 가리키는 심볼릭 링크인 의존 차트", 2),
    ChartShape("empty-image", "`image: {}` of a sub-chart, the defaults in its template",
               "서브차트의 `image: {}`, 기본값은 템플릿에 있음", 2),
    ChartShape("switched", "two images in values, a boolean chooses one",
               "값에 있는 두 이미지 가운데 하나를 불리언 값이 고름", 1),
    ChartShape("switched-suffix", "a boolean that adds `-fips` to the name", "불리언 값이 이름에 `-fips`를 붙임", 1),
    ChartShape("switched-fixed", "two images spelled out by the template, a boolean chooses one",
               "템플릿에 직접 적힌 두 이미지 가운데 하나를 불리언 값이 고름", 2, ("quay.example/shop/ha:2",), code=3),
    ChartShape("spelled-out", "images spelled out in quotes, in arguments and in a ConfigMap",
               "따옴표, 인자, ConfigMap 안에 직접 적힌 이미지", 4,
               ("quay.example/shop/agent:3", "quay.example/shop/helper:3", "quay.example/shop/job:1"), code=3),
    ChartShape("schema", "a schema that accepts one registry only", "한 레지스트리만 허용하는 스키마",
               2, ("quay.example/shop/web:2.7",), code=3),
    ChartShape("crd-default", "the default of a field in a CRD below `crds/`", "`crds/` 아래 CRD 필드의 기본값",
               2, _RUNNER, _RUNNER, _RUNNER, code=3),
    ChartShape("tpl-value", "a value that is a template of other values", "다른 값으로 만들어지는 템플릿인 값", 1),
    ChartShape("global-registry", "`global.imageRegistry`, which values.yaml does not have",
               "values.yaml에 없는 `global.imageRegistry`", 1),
    ChartShape("list-items", "images in lists, of extra containers and of arguments",
               "추가 컨테이너 목록과 인자 목록에 있는 이미지", 3),
)  # fmt: skip


def table(*, korean: bool) -> str:
    """The table of a page."""
    if korean:
        head = "| 차트 | 형태 | values 파일만 | post-renderer, helm 3 | post-renderer, helm 4 |"
    else:
        head = "| chart | shape | values file alone | with the post-renderer, helm 3 | with the post-renderer, helm 4 |"
    rows = []
    for shape in SHAPES:
        what = shape.what_ko if korean else shape.what
        by_values = _moved(shape, shape.left, shape.code, korean)
        by_helm3, by_helm4 = (_moved(shape, left, 0, korean) for left in (shape.helm3, shape.helm4))
        rows.append(f"| `{shape.name}` | {what} | {by_values} | {by_helm3} | {by_helm4} |")
    return "\n".join([head, "|-|-|-|-|-|", *rows]) + "\n"


def _moved(shape: ChartShape, left: tuple[str, ...], code: int, korean: bool) -> str:
    moved = shape.images - len(left)
    if korean:
        text = f"{shape.images}개 중 {moved}개"
        named, exit_code = "나머지는 경고로 알림", "종료 코드 3"
    else:
        text = f"{moved} of {shape.images}"
        named, exit_code = "the other named in a warning", "exit code 3"
    if code:
        return f"{text}, {exit_code}"
    return f"{text}, {named}" if left else text


def with_table(page: str, *, korean: bool) -> str:
    """The page with its table made anew."""
    return _FENCE.sub(lambda match: match[1] + table(korean=korean) + match[2], page)


def pages() -> dict[Path, bool]:
    """The pages, and whether they are Korean."""
    return {ROOT / "docs/charts.md": False, ROOT / "docs/charts.ko.md": True}


if __name__ == "__main__":
    for path, is_korean in pages().items():
        path.write_text(with_table(path.read_text("utf-8"), korean=is_korean), "utf-8")
