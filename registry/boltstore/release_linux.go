package boltstore

import (
	"syscall"

	bolt "go.etcd.io/bbolt"
)

// release gives back the memory in which the file was read. It is the system's
// and would come back by itself when others need it, but counts as this
// process's until then; what is needed is read again. While a transaction is
// open the file stays where it is mapped.
func release(tx *bolt.Tx) {
	_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, tx.DB().Info().Data, uintptr(tx.Size()), syscall.MADV_DONTNEED) // advice: it need not be taken
}
