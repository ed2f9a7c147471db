"""The command line: parses, calls `orchestrator.app`, prints, and returns an exit code. It decides nothing else."""
