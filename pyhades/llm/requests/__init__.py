"""From what callers ask to what the engine runs: prompts and conversations become requests."""
