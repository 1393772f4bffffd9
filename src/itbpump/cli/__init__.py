"""The command line `itbpump`: asks the person, shows what the client and the review say, tells by its exit code. No judgement of its own."""
