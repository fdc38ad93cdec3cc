"""One thread that owns a model and works for all callers, in steps.

From below: the runner of steps, sampling; the scheduler with its policy and its parts; the workshop
where the thread does the work of all; the engine, with the orders, mailboxes and handles of those
who ask. Stands on ``cache`` and ``models``; knows no architecture by name, and nothing of how
weights came about. See docs/decisions/0010.
"""
