"""`python -m videoflix.cli`."""

from videoflix.cli import main

if __name__ == "__main__":
    main()
