"""What was read and need not be read again: keys and values of texts, on several levels.

From below: blocks of memory and who holds them (``pool``), names of texts (``addresses``), what is
kept of them in the pool (``prefixes`` and what it stands on), what goes to other levels and comes
back (``handing_down``, ``bringing_back``), and the face that the engine sees (``kv_cache``). Stands
on ``models``; knows nothing of requests and of sampling. See docs/decisions/0012 and 0016.
"""
