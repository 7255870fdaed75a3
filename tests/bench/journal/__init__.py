"""The journal and what stands on it: appending, a note's way to its acknowledgement, starting, delivering."""
