"""All that is peculiar to gpt-oss."""
