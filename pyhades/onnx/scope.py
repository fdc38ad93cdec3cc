"""Which value a name means, in a graph and in the graphs within it."""

from __future__ import annotations

from pyhades.ir.graph import Value


class Scope:
    """Names of one graph; those that it does not have are looked up in the graph around it.

    A name may stand for None: an input that a call of a function leaves out.
    """

    def __init__(self, outer: Scope | None = None) -> None:
        self._names: dict[str, Value | None] = {}
        self._outer = outer

    def define(self, name: str, value: Value | None) -> bool:
        """Give a value a name; False where this graph has that name already."""
        if name in self._names:
            return False
        self._names[name] = value
        return True

    def has(self, name: str) -> bool:
        """Whether this graph itself has the name."""
        return name in self._names

    def local(self, name: str) -> Value | None:
        """The value of a name of this graph itself."""
        return self._names.get(name)

    def find(self, name: str) -> Value | None:
        """The value of a name; KeyError where nothing around has it."""
        if name in self._names:
            return self._names[name]
        if self._outer is None:
            raise KeyError(name)
        return self._outer.find(name)


class Captures(Scope):
    """What a graph of its own sees of the graph around it: constants, and inputs for the rest."""

    def __init__(self, outer: Scope) -> None:
        super().__init__()
        self._around = outer
        self.inputs: dict[Value, Value] = {}
        """Values of the graph around to the inputs that stand for them."""

    def find(self, name: str) -> Value | None:
        """The value of a name here; a constant of the graph around, or an input for its value."""
        if self.has(name):
            return self._names[name]
        value = self._around.find(name)
        if value is None or value.is_constant:
            return value
        return self.inputs.setdefault(value, Value(value.name, value.type))
