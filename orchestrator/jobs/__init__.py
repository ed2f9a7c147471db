"""The domain: what a job is, which steps it may take, what a failure means. No I/O; clock and randomness are passed in."""
