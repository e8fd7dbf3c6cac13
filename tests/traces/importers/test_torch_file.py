import io
import pickle
import zipfile

import numpy as np
import pytest
from moefetch.traces.errors import UserError
from moefetch.traces.importers.torch_file import is_torch_file, load_torch_file

torch = pytest.importorskip("torch", reason="torch writes the files")

TYPES = ("float32", "float64", "float16", "bfloat16", "uint8", "int8", "int16", "int32", "int64", "bool")


def saved(value):
    stream = io.BytesIO()
    torch.save(value, stream)
    return stream.getvalue()


@pytest.mark.parametrize("dtype", TYPES)
def test_tensors_of_every_type_are_read(dtype):
    tensor = torch.arange(24).reshape(2, 3, 4).to(getattr(torch, dtype))
    found = load_torch_file("t", io.BytesIO(saved([tensor])))[0].read()
    expected = tensor.float() if dtype == "bfloat16" else tensor
    np.testing.assert_array_equal(found, expected.numpy(), strict=True)


def test_views_containers_and_plain_values_are_read():
    base = torch.arange(60).reshape(3, 4, 5)
    value = {"a": [base[1:, ::2].transpose(0, 2), (1, None, "x", 2.5)], "b": base[2, 3, 4], "c": base[:0]}
    value |= {"d": torch.nn.Parameter(torch.ones(2)), "e": torch.nn.Buffer(torch.ones(3))}
    found = load_torch_file("t", io.BytesIO(saved(value)))
    np.testing.assert_array_equal(found["a"][0].read(), base[1:, ::2].transpose(0, 2).numpy())
    assert found["a"][1] == (1, None, "x", 2.5)
    assert found["b"].read() == 59
    assert found["c"].read().shape == (0, 4, 5)
    assert (found["d"].read().tolist(), found["e"].read().tolist()) == ([1, 1], [1, 1, 1])


class Harm:
    def __reduce__(self):
        return (exec, ("raise SystemExit('ran code')",))


def test_code_is_not_run_and_other_objects_are_named():
    with pytest.raises(UserError, match=r"t: not a file of torch\.save with plain tensors .*exec"):
        load_torch_file("t", io.BytesIO(saved({"records": Harm()})))
    with pytest.raises(UserError, match=r"torch\.nn\.modules\.linear\.Linear"):
        load_torch_file("t", io.BytesIO(saved(torch.nn.Linear(2, 2))))


def test_every_cut_and_damage_is_a_message():
    whole = saved([torch.arange(100), {"x": torch.ones(3)}])
    assert is_torch_file(io.BytesIO(whole))
    assert not is_torch_file(io.BytesIO(b"PK"))
    for size in range(0, len(whole), 37):
        with pytest.raises(UserError, match="t: not a file of torch"):
            load_torch_file("t", io.BytesIO(whole[:size]))
    seed = np.random.SeedSequence().entropy
    print("seed", seed)
    rng = np.random.default_rng(seed)
    for place in rng.choice(len(whole), 200, replace=False):
        damaged = bytearray(whole)
        damaged[place] ^= int(rng.integers(1, 256))
        try:
            found = load_torch_file("t", io.BytesIO(damaged))
            found[0].read()
        except UserError as error:
            assert "\n" not in str(error)
        except (TypeError, KeyError, AttributeError, IndexError):
            assert not isinstance(found, list) or not hasattr(found[0], "read")


def test_a_tensor_beyond_its_storage_is_refused():
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved([torch.arange(4)]))) as good, zipfile.ZipFile(stream, "w") as bad:
        for name in good.namelist():
            bad.writestr(name, b"12345678" if name.endswith("data/0") else good.read(name))
    with pytest.raises(UserError, match=r"data/0: a tensor of shape \[4\] in 1 values"):
        load_torch_file("t", stream)[0].read()


def test_plain_pickles_are_refused():
    with pytest.raises(UserError, match="t: not a file of torch"):
        load_torch_file("t", io.BytesIO(pickle.dumps([1])))
