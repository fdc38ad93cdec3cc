"""Other engines on the same work, each in a process of its own; none is needed to run pyhades."""
