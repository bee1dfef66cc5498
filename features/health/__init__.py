"""The service about itself: its name and places, whether it works, and its figures. Owns no table."""
