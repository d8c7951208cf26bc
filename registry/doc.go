// Package registry is being built.
package registry
