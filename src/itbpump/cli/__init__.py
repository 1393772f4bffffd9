"""The command line `itbpump`: asks the person, shows what client and review say, ends with an exit code. No judgement of its own."""
