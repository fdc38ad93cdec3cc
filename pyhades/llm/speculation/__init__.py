"""Speculation without loss: several tokens of an answer per step, where they can be guessed.

A step that checks some drafts costs less than as many steps. Where a draft is what would have been
sampled anyway it is kept, and what follows the first wrong one is dropped, so answers are the same
to the bit. Whether drafts are tried is decided per step, by what they are expected to bring.
"""
