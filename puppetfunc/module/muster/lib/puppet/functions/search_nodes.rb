# frozen_string_literal: true

require_relative '../../puppet_x/muster/question'

# Names the nodes that a query selects, as the muster registry knows them.
#
# The list is sorted, so that a template over it does not change between runs.
# Whatever goes wrong fails the compilation: an empty list always means that no
# node matches.
#
# @example The -W words, with the value bound and never parsed
#   $masters = search_nodes('customer=? mysql::master', { 'params' => [$facts['customer']] })
#
# @example A Mongo document as text, with a bound value
#   $masters = search_nodes("{'facts.customer': \$c, classes: 'mysql::master'}", { 'params' => { 'c' => $facts['customer'] } })
#
# @example A Puppet hash
#   $masters = search_nodes({ 'facts.customer' => 'acme', 'classes' => 'mysql::master' })
#
# @example The addresses instead of the names, and at least one of them
#   $addresses = search_nodes('haproxy::backend', { 'return' => 'networking.ip', 'expect' => 'some' })
#
# @example Better yesterday's list than none, and only what Puppet itself compiled
#   $peers = search_nodes('galera::node', { 'source' => 'catalog', 'on_error' => 'cache', 'max_age' => '2d' })
Puppet::Functions.create_function(:search_nodes, Puppet::Functions::InternalFunction) do
  # @param query
  #   Text in any dialect of muster (-W words, -S expressions, a Mongo document, PQL ...), or a
  #   Mongo document as a hash.
  # @param options
  #   How to ask, and what to return.
  # @option options [Variant[Array, Hash]] params
  #   Values for each ? (array) or $name (hash) of the query; they are bound, never parsed.
  # @option options [Variant[String, Array[String]]] return
  #   identity (default), fqdn, a fact path, a list of paths, or full (all that is known).
  # @option options [Enum[error, allow]] unknown
  #   Whether a fact that no node has, or a node without the fact to return, is an error (default).
  # @option options [String] sort
  #   A path to sort by, -path downwards; default the identity.
  # @option options [Integer] limit
  #   At most so many nodes.
  # @option options [String] state
  #   live (default: active and stale), active, stale, expired, deactivated or any.
  # @option options [String] collective
  #   Only nodes of this collective.
  # @option options [String] dialect
  #   How a text is read; default auto.
  # @option options [Enum[catalog]] source
  #   catalog: classes are those of compiled catalogs, not what nodes say of themselves.
  # @option options [Variant[Integer, String]] max_age
  #   Seconds, or '90s', '15m', '2h', '7d': an answer that rests on older word is none.
  # @option options [Enum[one, some, any]] expect
  #   How many nodes must match; default any.
  # @option options [Any] default
  #   Returned instead of an empty list, and where on_error says so.
  # @option options [Enum[fail, cache, default]] on_error
  #   What to do where no answer can be had: fail (default), take the last answer, or the default.
  # @option options [Variant[String, Array[String]]] server
  #   One URL or several, instead of those in muster.yaml.
  # @return
  #   Names; values where return is a path; hashes where it is a list or full.
  dispatch :search do
    scope_param
    param 'Variant[String[1], Hash]', :query
    optional_param PuppetX::Muster::Question.option_types, :options
  end

  def search(scope, query, options = {})
    PuppetX::Muster::Question.new('search_nodes', scope, options).search(query)
  end
end
