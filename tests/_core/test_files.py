import os
import secrets
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from nnlayers._core.files import write_file


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


def test_a_path_that_cannot_be_written_is_an_error_that_names_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"missing/a'$"):
        write_file(tmp_path / "missing" / "a", lambda file: file.write(b""))
    with pytest.raises(IsADirectoryError, match=tmp_path.name):
        write_file(tmp_path, lambda file: file.write(b""))


def test_an_error_of_the_writer_is_passed_on(tmp_path):
    def write(file):
        raise OSError("out of paper")

    with pytest.raises(OSError, match=r"^out of paper$"):
        write_file(tmp_path / "a", write)
    assert not list(tmp_path.iterdir())


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("bits", [0o600, 0o640, 0o644, 0o666, 0o444, 0o755])
def test_a_file_keeps_the_permissions_of_the_one_that_it_replaces(bits, tmp_path):
    path = tmp_path / "a"
    path.write_text("old")
    path.chmod(bits)
    seen = []

    def write(file):
        seen.extend(mode(entry) for entry in tmp_path.iterdir())
        file.write(b"new")

    write_file(path, write)
    assert seen == [bits, bits]
    assert (mode(path), path.read_text()) == (bits, "new")


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o000])
def test_a_new_file_has_the_permissions_that_the_umask_gives(mask, tmp_path):
    before = os.umask(mask)
    try:
        write_file(tmp_path / "a", lambda file: file.write(b""))
    finally:
        os.umask(before)
    assert mode(tmp_path / "a") == 0o666 & ~mask


def test_a_file_keeps_its_owner_and_group(tmp_path):
    path = tmp_path / "a"
    path.write_text("old")
    # Only root may give files away, others to a group of their own.
    owner = (1234, 2345) if os.getuid() == 0 else (os.getuid(), os.getgroups()[-1])
    os.chown(path, *owner)
    write_file(path, lambda file: file.write(b"new"))
    assert (path.stat().st_uid, path.stat().st_gid) == owner


def test_a_temporary_file_is_new_and_its_name_unpredictable(tmp_path, monkeypatch):
    names = set()

    def write(file):
        names.update(entry.name for entry in tmp_path.iterdir())

    for _ in range(3):
        write_file(tmp_path / "a", write)
    assert len(names - {"a"}) == 3
    # Should someone foresee it nevertheless, the link is not followed.
    (tmp_path / "victim").write_text("old")
    monkeypatch.setattr(secrets, "token_hex", lambda size: "guessed")
    (tmp_path / ".nnlayers-guessed.tmp").symlink_to("victim")
    with pytest.raises(FileExistsError):
        write_file(tmp_path / "a", lambda file: file.write(b"new"))
    assert (tmp_path / "victim").read_text() == "old"


def test_a_name_of_the_greatest_length_can_be_written(tmp_path):
    path = tmp_path / ("a" * 255)
    write_file(path, lambda file: file.write(b"whole"))
    assert path.read_bytes() == b"whole"


def test_links_stay_links_even_to_missing_files(tmp_path):
    (tmp_path / "link").symlink_to("target")
    write_file(tmp_path / "link", lambda file: file.write(b"whole"))
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"whole"


def test_a_pipe_without_a_path_can_be_written(tmp_path):
    read_end, write_end = os.pipe()
    write_file(f"/dev/fd/{write_end}", lambda file: file.write(b"whole"))
    os.close(write_end)
    with open(read_end, "rb") as file:
        assert file.read() == b"whole"
