"""`python -m itbpump.cli`: the same as `itbpump`, where no script is on the path."""

from itbpump.cli.main import run

if __name__ == "__main__":
    run()
