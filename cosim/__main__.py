"""The command `cosim` as `python -m cosim`."""

from cosim.cli.main import main

if __name__ == "__main__":
    main()
