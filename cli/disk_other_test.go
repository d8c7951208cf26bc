//go:build !unix

package cli_test

// limitDisk does nothing: the test of full disks is for Unix.
func limitDisk() {}
