"""The page that ``pyhades serve`` shows at ``/``: a chat, in plain modules of JavaScript."""

from __future__ import annotations

from pyhades.server.page.files import routes

__all__ = ["routes"]
