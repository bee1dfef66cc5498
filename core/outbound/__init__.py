"""Fetching addresses that users name, without being led to where only this machine can reach.

targets.py   which addresses may be connected to: public ones, and those that a setting lists
url.py       which URLs may be fetched at all
network.py   resolves a name once, judges what it got, and connects to exactly that
fetch.py     one GET with its redirects, within bounds of time and bytes
"""
