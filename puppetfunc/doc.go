// Package puppetfunc is being built.
package puppetfunc
