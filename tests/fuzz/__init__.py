"""Hostile bytes for every reader: see ``python -m tests.fuzz --help``.

Each target draws files from seeds that it writes itself, altered at random, and reads them. A case
is a number: its input depends on it alone. Whatever is read must be refused by an error that the
reader documents, in one line, or be read; within a second and 64 MB for each MB of the file; and
where a checksum can tell, what is read is what was written.
"""
