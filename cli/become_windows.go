package cli

// become runs argv to its end: Windows has no exec.
func become(argv []string) error { return runBelow(argv) }
