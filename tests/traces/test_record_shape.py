from __future__ import annotations

import pytest
from moefetch.traces.errors import UserError
from moefetch.traces.record_shape import TopKShape


@pytest.mark.parametrize(
    ("text", "layers"),
    [
        ("2,6,2,4", [2, 3, 4, 5, 6, 5, 3, 2]),  # down by 4 over 3 layers: 4.67, 3.33
        ("1,4,4,7", [1, 1, 2, 2, 3, 3, 4, 4]),  # up by 3 over 7: 1.43, 1.86, 2.29, 2.71, 3.14, 3.57
        ("6,6,1,0", [6, 5, 5, 4, 3, 2, 2, 1]),
        ("3,3,3,5", [3] * 8),
        ("1,2,1,2", [1, 2, 2, 2, 2, 1, 1, 1]),  # halves are rounded up: layer 1 and layer 4's 1.6, layer 5's 1.4
    ],
)
def test_layers_are_interpolated_and_rounded(text, layers):
    assert TopKShape.parse(text).layers(8, 6) == layers
    assert str(TopKShape.parse(text)) == text


def test_one_layer_is_the_peak():
    assert TopKShape(2, 2, 2, 0).layers(1, 4) == [2]


@pytest.mark.parametrize("text", ["", "1,2,3", "1,2,3,4,5", "a,2,3,4", "1;2;3;4", "1.5,2,2,0"])
def test_other_texts_are_refused_in_one_line(text):
    with pytest.raises(UserError, match=r"top-k shape: .*: must be four whole numbers b,h,e,p") as caught:
        TopKShape.parse(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0,2,2,1", "first: 0: must be 1 to 4, the model's top-k"),
        ("2,5,2,1", "peak: 5: must be 1 to 4"),
        ("2,2,-1,1", "last: -1: must be 1 to 4"),
        ("2,2,2,8", "peak layer: 8: must be 0 to 7"),
        ("2,2,2,-1", "peak layer: -1: must be 0 to 7"),
    ],
)
def test_shapes_that_do_not_fit_the_model_are_refused(text, message):
    with pytest.raises(UserError, match=message):
        TopKShape.parse(text).layers(8, 4)
