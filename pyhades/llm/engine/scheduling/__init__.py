"""The parts of the scheduler: what a step takes in, and of whom.

Each knows those above it in this list, and none of them the scheduler:

- :mod:`.roster`: the answers in progress, those that hold blocks and those that wait;
- :mod:`.fetching`: what the levels below memory have of the texts of those that wait;
- :mod:`.room`: whether blocks and places are left;
- :mod:`.preemption`: who gives way where none are;
- :mod:`.followers`, :mod:`.admission`: who may read, in which order, and who begins;
- :mod:`.reading`: how much of each prompt a step reads;
- :mod:`.drafting`: what those who write are guessed to go on with;
- :mod:`.step`: all that as one step, and what comes of it.
"""
