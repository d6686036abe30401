"""MATLAB files of version 5 are read as scipy reads them, and damaged ones are refused in one line, without a crash."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.io import loadmat, savemat

from cogbench import MissingData, UnusableData, read_matlab
from cogbench.testing import Reader, check_reader

packed = pytest.mark.parametrize("packed", [False, True])


def cells(*items):
    held = np.empty((len(items), 1), object)
    held[:, 0] = items
    return held


def variables():
    rng = np.random.default_rng(0)
    records = np.empty((2, 2), [("text", object), ("x", object)])
    for i in range(4):
        records[i // 2, i % 2] = (f"t{i}ü", rng.normal(size=(i + 1, 2)))
    return {
        "x": rng.normal(size=(3, 4)),
        "cube": rng.normal(size=(3, 2, 4)).astype(np.float32),
        "z": rng.normal(size=(3, 2)) + 1j,
        "i": np.arange(6, dtype=np.int16).reshape(2, 3),
        "large": np.array([[2**63]], np.uint64),
        "yes": np.array([[True, False]]),
        "none": np.empty((0, 3)),
        "text": "héllo wörld ☃",
        "lines": np.array(["ab", "cde"]),
        "cell": cells("one", rng.normal(size=(2, 2)), cells("two", "")),
        "inner": {"y": 1.5, "deep": {"q": "r"}},
        "records": records,
    }


@packed
def test_each_class_is_read_as_scipy_reads_it(packed, tmp_path):
    file, held = tmp_path / "a.mat", variables()
    savemat(file, held, do_compression=packed)
    mine, theirs = read_matlab(file), loadmat(file)
    for name in ("x", "cube", "z", "i", "large", "yes", "none"):
        np.testing.assert_array_equal(mine[name], theirs[name], strict=True)
    assert mine["text"] == "héllo wörld ☃" and mine["lines"] == ["ab ", "cde"]
    assert mine["cell"][0] == "one" and mine["cell"][2] == ["two", ""]
    np.testing.assert_array_equal(mine["cell"][1], held["cell"][1, 0])
    assert mine["inner"]["y"].tolist() == [[1.5]] and mine["inner"]["deep"] == {"q": "r"}
    assert [record["text"] for record in mine["records"]] == ["t0ü", "t2ü", "t1ü", "t3ü"]  # column by column
    np.testing.assert_array_equal(mine["records"][1]["x"], held["records"][1, 0][1])
    assert set(read_matlab(file, ["text", "x", "absent"])) == {"text", "x"}


numbers = st.sampled_from(["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
shapes = arrays.array_shapes(min_dims=2, max_dims=3, max_side=4)


@settings(max_examples=60, deadline=None)
@given(arrays.arrays(numbers, shapes), st.booleans())
def test_any_array_of_numbers_comes_back(tmp_path_factory, values, packed):
    file = tmp_path_factory.mktemp("m") / "a.mat"
    savemat(file, {"v": values}, do_compression=packed)
    np.testing.assert_array_equal(read_matlab(file)["v"], loadmat(file)["v"], strict=True)


@packed
def test_a_damaged_file_is_read_or_refused_in_one_line(packed, tmp_path):
    def make(folder):
        savemat(folder / "a.mat", variables(), do_compression=packed)
        return folder / "a.mat"

    check_reader(Reader("a MATLAB file", make, read_matlab), tmp_path, rounds=300)


def test_what_is_no_such_file_is_refused(tmp_path):
    file = tmp_path / "a.mat"
    with pytest.raises(MissingData, match="no file"):
        read_matlab(file)
    for content, message in (
        (b"", "is empty"),
        (b"x" * 200, "it is none, or one of version 4; save it in MATLAB with -v7"),
    ):
        file.write_bytes(content)
        with pytest.raises(UnusableData, match=message):
            read_matlab(file)
    savemat(file, {"x": np.zeros((2000, 2000))}, do_compression=True)
    with pytest.raises(UnusableData, match="it would unpack to more than 16.0 MiB"):
        read_matlab(file)
    savemat(file, {"x": np.arange(4000.0)}, do_compression=False)
    file.write_bytes(file.read_bytes()[:9000])
    with pytest.raises(UnusableData, match="it is cut short"):
        read_matlab(file)
