"""The language of the line: frames, sealed records and messages. Pure; shared by companion and simulator."""
