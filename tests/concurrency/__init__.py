"""Many writers at once: nothing that was answered is lost, and nobody overwrites what they have not seen."""
