"""What an answer may be: JSON of a schema, a regular expression, a grammar, one of some texts.

A :class:`Constraint` is made of what users write; :mod:`pyhades.llm.grammar.turn` puts constraints
into the turn of a chat, and :mod:`pyhades.llm.grammar.compiled` makes filters of tokens of them,
with the library ``llguidance``.
"""

from pyhades.llm.grammar.constraint import Constraint, choice, lark, regex
from pyhades.llm.grammar.json_schema import json_schema

__all__ = ["Constraint", "choice", "json_schema", "lark", "regex"]
