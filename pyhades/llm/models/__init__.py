"""One file per architecture, readable as its paper."""
