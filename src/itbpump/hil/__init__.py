"""Hardware-in-the-loop tests of intrathecal pumps: the same pytest files on the simulator in virtual time, over a wire, and on hardware."""
