// Package api is being built.
package api
