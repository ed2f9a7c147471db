"""The only memory: one SQLite file that knows every job, attempt, image and step."""
