"""A disk that fails, and that forgets what was not flushed.

While a `FaultyDisk` is installed, all that the library does to files is recorded, and one chosen
operation can fail. `states_after_power_loss` then gives the contents that a disk can hold after a
power loss at any moment: what was flushed is there, and of the rest any part may be. This is how
ALICE (T. S. Pillai et al., "All file systems are not created equal", OSDI 2014) and CrashMonkey
(J. Mohan et al., OSDI 2018) test programs.
"""

import builtins
import contextlib
import os
from pathlib import Path

from nnlayers._core import files

_OF_TWO_PATHS = ("replace", "rename", "link")


class Killed(BaseException):
    """The process is gone: nothing that it would do from now on happens."""


class FaultyDisk:
    """The operations on files below a folder, of which the one with number `fault` fails.

    `problem` is the exception that it raises. If `lasts`, all later operations fail too.
    """

    def __init__(self, folder, fault=None, problem=None, lasts=False):
        self.folder, self.fault, self.problem, self.lasts = Path(folder), fault, problem, lasts
        self.log = []
        self.calls = 0
        self._inodes = {}
        self._open_file = builtins.open

    @contextlib.contextmanager
    def installed(self, monkeypatch):
        with monkeypatch.context() as patch:
            patch.setattr(files, "open", self._open, raising=False)
            for name in ("fsync", "replace", "rename", "link", "unlink", "mkdir", "rmdir"):
                patch.setattr(os, name, self._operation(name, getattr(os, name)))
            yield self

    def _strike(self):
        self.calls += 1
        if self.fault is not None and (
            self.calls == self.fault or (self.lasts and self.calls > self.fault)
        ):
            raise self.problem

    def _operation(self, name, function):
        def operation(*paths, **options):
            self._strike()
            if name == "fsync":
                self._log_fsync(paths[0])
            result = function(*paths, **options)
            if name != "fsync":
                self._log(name, *map(str, paths[: 2 if name in _OF_TWO_PATHS else 1]))
            return result

        return operation

    def _log(self, kind, *arguments):
        if kind in ("replace", "rename"):
            _rename(self._inodes, *arguments)
        elif kind == "link":
            # A file of an earlier process has no number yet.
            self._inodes[arguments[1]] = self._inodes.setdefault(arguments[0], -len(self.log) - 1)
        self.log.append((kind, *arguments))

    def _log_fsync(self, descriptor):
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        if os.path.isdir(path):
            self.log.append(("sync names", path))
        else:
            self.log.append(("sync", self._inodes[path]))

    def _open(self, path, mode, **options):
        self._strike()
        name = str(path)
        file = self._open_file(path, mode, buffering=0, **options)
        if "x" in mode or name not in self._inodes:
            self._inodes[name] = len(self.log)
            self.log.append(("create", name, self._inodes[name]))
        return _File(self, file, self._inodes[name])


class _File:
    """A file whose content reaches the disk when it is flushed or closed."""

    def __init__(self, disk, file, inode):
        self.disk, self.file, self.inode = disk, file, inode
        self.content = b""

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        try:
            self.flush()
        finally:
            self.file.close()

    def write(self, content):
        self.content += bytes(content)
        return len(content)

    def flush(self):
        if self.content:
            self.disk._strike()
            self.disk.log.append(("write", self.inode, self.content))
            self.file.write(self.content)
            self.content = b""

    def fileno(self):
        return self.file.fileno()

    def tell(self):
        return self.file.tell() + len(self.content)


def states_after_power_loss(log):
    """Return what a disk may hold after a power loss, as dictionaries of content by path.

    Names of files are on the disk in order, up to any operation after the last flush of a
    directory, or without one operation, as a file system that orders nothing may leave them. Of a
    file's content there is what was flushed, and of the rest all, a part, or nothing.
    """
    states = []
    for end in range(len(log) + 1):
        flushed = max((i for i in range(end) if log[i][0] == "sync names"), default=0)
        names = [i for i in range(end) if log[i][0] not in ("write", "sync", "sync names")]
        waiting = [i for i in names if i >= flushed]
        choices = [set(names) - set(waiting[k:]) for k in range(len(waiting) + 1)]
        choices += [set(names) - {i} for i in waiting]
        for choice in choices:
            states += [_replay(log[:end], choice, share) for share in (0, 0.5, 1)]
    unique = {repr(sorted(state.items())): state for state in states}
    return list(unique.values())


def _replay(log, names, share):
    content, synced, paths = {}, {}, {}
    for index, (kind, *arguments) in enumerate(log):
        if kind == "write":
            content[arguments[0]] = content.get(arguments[0], b"") + arguments[1]
        elif kind == "sync":
            synced[arguments[0]] = len(content.get(arguments[0], b""))
        elif index in names:
            _apply(paths, kind, arguments)
    state = {}
    for path, inode in paths.items():
        if inode is None:
            state[path] = None
            continue
        data = content.get(inode, b"")
        sure = synced.get(inode, 0)
        state[path] = data[: sure + int((len(data) - sure) * share)]
    return state


def _apply(paths, kind, arguments):
    """Change the names on the disk; those that were never written are passed over."""
    if kind == "create":
        paths[arguments[0]] = arguments[1]
    elif kind == "mkdir":
        paths[arguments[0]] = None
    elif kind in ("unlink", "rmdir"):
        paths.pop(arguments[0], None)
    elif kind == "link":
        if arguments[0] in paths:
            paths[arguments[1]] = paths[arguments[0]]
    else:
        _rename(paths, *arguments)


def _rename(paths, source, target):
    for path in [path for path in paths if path == source or path.startswith(f"{source}/")]:
        paths[target + path.removeprefix(source)] = paths.pop(path)


def write_state(state, folder):
    """Make a folder hold a state."""
    for path, content in sorted(state.items()):
        place = Path(path)
        if content is None:
            place.mkdir(exist_ok=True)
        elif place.parent.is_dir():
            place.write_bytes(content)
