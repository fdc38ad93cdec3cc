"""The harmony format: conversations become prompts, and answers become messages."""

from pyhades.llm.text.harmony.markers import Markers
from pyhades.llm.text.harmony.parser import HarmonyParser
from pyhades.llm.text.harmony.rendering import harmony_prompt, render_chat, render_message

__all__ = ["HarmonyParser", "Markers", "harmony_prompt", "render_chat", "render_message"]
