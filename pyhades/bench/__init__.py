"""Measurements that a user can repeat, see ``pyhades bench``."""
