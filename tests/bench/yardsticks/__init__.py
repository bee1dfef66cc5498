"""What the app is measured against: the same answers from the same rows, written the way that each stack's
own documentation would have it. None of them writes an audit entry, keeps a cache, limits a rate or logs.
"""
