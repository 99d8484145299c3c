"""Adapters of the implementations that the suite knows out of the box."""
