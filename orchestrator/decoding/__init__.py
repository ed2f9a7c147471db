"""What touches bytes of strangers: a program of its own, `python -m orchestrator.decoding.worker`, that knows nothing else of us.

Nothing is imported here, and nothing of the rest of the program: a worker is ready within a tenth of a second.
"""
