"""The vocabulary of shapes: every annotation of the package uses it, and every word of it that rooms use is known."""

import ast
import re
from pathlib import Path

import pytest

from dlcourse.types import DIMENSIONS

PACKAGE = Path(__file__).parents[1] / "dlcourse"
KINDS = {"Float", "Int", "Bool", "Shaped"}


def dimensions(source: ast.Module) -> set[str]:
    """Words in the shapes of all annotations such as Float[Tensor, "batch classes"]."""
    shapes = [
        node.slice.elts[1].value
        for node in ast.walk(source)
        if isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Name)
        and node.value.id in KINDS
        and isinstance(node.slice, ast.Tuple)
    ]
    return {word for shape in shapes for word in re.findall(r"[A-Za-z_]\w*", shape)} - {"_"}  # "_" is any size


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("*.py")), ids=lambda file: file.relative_to(PACKAGE).as_posix())
def test_every_dimension_is_in_the_vocabulary(file):
    source = file.read_text(encoding="utf-8")
    assert dimensions(ast.parse(source)) <= set(DIMENSIONS)
    assert "from __future__ import annotations" not in source or not dimensions(ast.parse(source))


def test_dimensions_are_read_from_the_text():
    source = 'def f(x: Float[Tensor, "batch 3 *rest"], y: dict[str, int]) -> Int[Tensor, " colour"]: ...'
    assert dimensions(ast.parse(source)) == {"batch", "rest", "colour"}


def test_a_wrong_shape_is_seen_in_tests():
    """The shape checks of tests/conftest.py are on."""
    import torch
    from jaxtyping import TypeCheckError

    from dlcourse import models, nn

    with pytest.raises(TypeCheckError):
        nn.relu(torch.arange(3))
    with pytest.raises(TypeCheckError):
        nn.cross_entropy(torch.zeros(3, 2), torch.zeros(4, dtype=torch.int64))
    with pytest.raises(TypeCheckError):
        models.LogisticStep(0, 0.0, torch.zeros(2, 2), torch.zeros(()))
