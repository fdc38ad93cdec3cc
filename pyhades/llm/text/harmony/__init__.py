"""The harmony format: conversations become prompts, and answers become messages."""

from pyhades.llm.text.harmony.answer import ChatAnswer, ChatDelta, ToolCall
from pyhades.llm.text.harmony.message import Markers, Message
from pyhades.llm.text.harmony.parser import HarmonyParser
from pyhades.llm.text.harmony.rendering import render_chat, render_message
from pyhades.llm.text.harmony.stops import until_stop

__all__ = [
    "ChatAnswer",
    "ChatDelta",
    "HarmonyParser",
    "Markers",
    "Message",
    "ToolCall",
    "render_chat",
    "render_message",
    "until_stop",
]
