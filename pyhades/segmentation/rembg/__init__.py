"""What rembg makes of a picture, from its keywords: sessions, masks, cut-outs.

The public names are those of :mod:`pyhades.rembg`.
"""
