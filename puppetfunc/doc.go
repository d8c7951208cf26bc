// Package puppetfunc is what a Puppet manifest sees of muster: a module with
// the function search_nodes, for Puppet 7 and 8.
//
//	err := puppetfunc.Install("/etc/puppetlabs/code/modules")
//
//	$masters = search_nodes('customer=? mysql::master', { 'params' => [$facts['customer']] })
//
// The module is written in Ruby, in the folder module, and embedded here. It
// speaks HTTP to a muster server; nothing of a manifest is run as code.
package puppetfunc
