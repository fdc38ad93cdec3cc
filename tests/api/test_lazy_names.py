"""Names of ``pyhades`` are imported late, and known to editors and type checkers all the same."""

from __future__ import annotations

import ast
import inspect

import pyhades


def test_type_checkers_are_told_every_name_and_where_it_is_from():
    """Without it ``pyhades.Remover`` is Any to them, and nothing about it is checked."""
    (block,) = [
        statement.body
        for statement in ast.parse(inspect.getsource(pyhades)).body
        if isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING"
    ]
    told = {name.asname: line.module for line in block for name in line.names}
    assert told == pyhades._HOMES
    assert all(name.name == name.asname for line in block for name in line.names)
