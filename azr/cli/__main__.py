"""`python -m azr.cli`: as the command azr."""

from azr.cli.main import program

if __name__ == "__main__":
    program()
