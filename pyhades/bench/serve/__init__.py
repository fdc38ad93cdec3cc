"""What `pyhades bench serve` measures: servers of OpenAI's protocol, ours and others'.

Requests come from a process of their own (:mod:`~pyhades.bench.serve.worker`), which needs the
extra ``server``. Whoever plans and counts (:mod:`~pyhades.bench.serve.scenarios`) needs nothing.
"""
