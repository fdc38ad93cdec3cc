"""Language models of the gpt-oss family, from checkpoint to text."""
