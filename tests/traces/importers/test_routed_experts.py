import base64
import io

import numpy as np
import pytest
from moefetch.traces.errors import UserError
from moefetch.traces.importers.routed_experts import routed_experts, without_dense_layers

EXPERTS = np.arange(12).reshape(2, 3, 2)


def encoded(data):
    return base64.b64encode(data).decode()


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def test_the_three_encodings_are_read_alike():
    shaped = {"data": encoded(EXPERTS.astype("<i2").tobytes()), "shape": [2, 3, 2], "dtype": "<i2"}
    for value in (EXPERTS.tolist(), encoded(npy(EXPERTS)), shaped):
        np.testing.assert_array_equal(routed_experts("r", value), EXPERTS)


@pytest.mark.parametrize(
    "value",
    [
        encoded(npy(EXPERTS).replace(b")", b" ", 1)),  # numpy's parser of the header raises TokenError
        encoded(npy(EXPERTS)[:-1]),
        encoded(b"no array"),
        "no base64!",
        None,
        {"data": encoded(b"12"), "shape": [1, 1, 1], "dtype": "("},
        {"data": encoded(b"12"), "shape": [1, 1, 1 << 70], "dtype": "<i2"},
        {"shape": [1, 1, 1], "dtype": "<i2"},
        [[[1.5]]],
    ],
)
def test_what_is_none_of_them_names_its_place(value):
    with pytest.raises(UserError, match=r"^file: response 3: "):
        routed_experts("file: response 3", value)


def test_dense_layers_are_left_out_and_must_be_there():
    np.testing.assert_array_equal(without_dense_layers("r", EXPERTS, (0, 2)), EXPERTS[:, [0, 2]])
    with pytest.raises(UserError, match="r: 3 layers: must be at least 4"):
        without_dense_layers("r", EXPERTS, (3,))
