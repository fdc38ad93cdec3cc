"""Between text and token ids, and what a chat is made of."""
