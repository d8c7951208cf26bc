// Package agent is being built.
package agent
