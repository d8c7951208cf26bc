//go:build !linux

package boltstore

import bolt "go.etcd.io/bbolt"

// release does nothing where there is no way to do it.
func release(*bolt.Tx) {}
