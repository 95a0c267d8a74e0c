"""`python -m linkage`."""

from linkage.commands import main

if __name__ == "__main__":
    main()
