"""Fetching addresses that users name, without being led to where only this machine can reach.

targets.py   the allow-list: public addresses, and those that a setting names
url.py       URLs that may be fetched
network.py   a network backend that resolves a name once, checks what it got, and connects to exactly that
fetch.py     one GET with its redirects, or one POST, within bounds of time and bytes
"""
