// Muster knows what machines a site has and reaches them by what they are.
//
//	muster find -W "customer=acme mysql::master"
package main

import (
	"context"
	"os"

	"muster/cli"
)

func main() {
	os.Exit(cli.Main(context.Background()))
}
