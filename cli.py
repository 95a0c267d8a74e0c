"""Run the `linkage` command from a checkout: `python cli.py --help`."""

from linkage.commands import main

if __name__ == "__main__":
    main()
