"""`python -m orchestrator`."""

if __name__ == "__main__":  # spawned decode workers import this module again, and must not run the program
    import sys

    from orchestrator.cli.main import main

    sys.exit(main())
