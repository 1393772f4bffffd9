"""`python -m itbpump`: the same as `itbpump`, where no script is on the path."""

from itbpump.console import run

if __name__ == "__main__":
    run()
