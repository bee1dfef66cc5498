"""What exports write to: a file or a folder that appears whole or not at all."""
