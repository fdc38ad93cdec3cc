"""Text and token ids, and what a chat is made of: tokenizer, stop strings, harmony.

Knows nothing of models; the lowest room of :mod:`pyhades.llm`.
"""
