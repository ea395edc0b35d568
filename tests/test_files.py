from concurrent.futures import ThreadPoolExecutor

import pytest

from nnlayers.files import write_file


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a"
    path.write_text("old")

    def write(file):
        file.write(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_file(path, write)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a", "old")]


def test_threads_that_write_one_file_leave_a_whole_one(tmp_path):
    texts = [bytes([65 + number]) * 100_000 for number in range(20)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda text: write_file(tmp_path / "a", lambda f: f.write(text)), texts))
    assert (tmp_path / "a").read_bytes() in texts
    assert len(list(tmp_path.iterdir())) == 1


def test_a_place_that_cannot_be_written_is_an_error_that_names_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"missing/a'$"):
        write_file(tmp_path / "missing" / "a", lambda file: file.write(b""))
    with pytest.raises(IsADirectoryError, match=tmp_path.name):
        write_file(tmp_path, lambda file: file.write(b""))


def test_an_error_of_the_writer_s_own_stays_as_it_is(tmp_path):
    def write(file):
        raise OSError("out of paper")

    with pytest.raises(OSError, match=r"^out of paper$"):
        write_file(tmp_path / "a", write)
    assert not list(tmp_path.iterdir())
