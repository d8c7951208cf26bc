// Package pki is being built.
package pki
