"""Helpers that every floor shares and no user imports: arrays, checks, constructors, files."""
