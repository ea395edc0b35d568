import numpy as np
import pytest

from nnlayers.config.document import ConfigError
from nnlayers.config.run_files import (
    read_arrays,
    read_sealed_json,
    write_arrays,
    write_file,
    write_text,
)


def test_arrays_come_back_to_the_bit(tmp_path):
    arrays = {"0.W": np.array([[np.nan, -0.0, 5e-324]]), "n": np.array(3), "text": np.array("ü")}
    write_arrays(tmp_path / "a.npz", arrays)
    restored = read_arrays(tmp_path / "a.npz")
    assert restored.keys() == arrays.keys()
    assert all(restored[name].tobytes() == arrays[name].tobytes() for name in arrays)


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path):
    write_text(tmp_path / "a", "old")

    def write(file):
        file.write(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_file(tmp_path / "a", write)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a", "old")]


def test_a_link_stays_a_link_and_a_device_a_device(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text() == "new"
    (tmp_path / "null").symlink_to("/dev/null")
    write_text(tmp_path / "null", "gone")
    assert (tmp_path / "null").is_char_device()


@pytest.mark.parametrize("size", [0, 10, 100, 400])
def test_a_damaged_archive_is_an_error_that_names_it(tmp_path, size):
    path = tmp_path / "a.npz"
    write_arrays(path, {"a": np.zeros(50)})
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ConfigError, match=r"a\.npz"):
        read_arrays(path)


def test_pickled_objects_are_not_read(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.array([{}], dtype=object))
    with pytest.raises(ConfigError, match=r"a\.npz: array 'a' .* Python objects"):
        read_arrays(tmp_path / "a.npz")


@pytest.mark.parametrize("text", ["{", "", "[" * 200_000, '{"a":' * 200_000, "9" * 10_000, "1\0"])
def test_malformed_json_is_an_error_that_names_the_file(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ConfigError, match=r"a\.json: not valid JSON"):
        read_sealed_json(tmp_path / "a.json")


def test_a_path_that_cannot_be_written_is_an_error_that_names_it(tmp_path):
    with pytest.raises(ConfigError, match="missing/a: No such file or directory"):
        write_text(tmp_path / "missing" / "a", "")
