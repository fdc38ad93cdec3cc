"""Steps of a model: which tokens go in, what is kept of them, and which come out.

Runner, cache of keys and values, scheduler, sampling. Stands on ``models``; knows no architecture
by name, and nothing of how weights came about.
"""
