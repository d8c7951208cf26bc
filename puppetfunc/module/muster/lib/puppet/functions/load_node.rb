# frozen_string_literal: true

require_relative '../../puppet_x/muster/question'

# All that the muster registry knows of one node, in any state.
#
# @example
#   $db = load_node('db1.acme.net')
#   notice($db['facts']['networking']['ip'])
#
# @example A node that must be known
#   $db = load_node('db1.acme.net', { 'unknown' => 'error' })
Puppet::Functions.create_function(:load_node, Puppet::Functions::InternalFunction) do
  # @param identity
  #   The node's name.
  # @param options
  #   How to ask, and what an unknown node is.
  # @option options [Enum[error, undef]] unknown
  #   What a node is of which the registry does not know: undef (default), or an error.
  # @option options [Any] default
  #   Returned for an unknown node instead of undef, and where on_error says so.
  # @option options [Variant[Integer, String]] max_age
  #   Seconds, or '90s', '15m', '2h', '7d': a node not heard of for longer is no answer.
  # @option options [Enum[fail, cache, default]] on_error
  #   As in search_nodes.
  # @option options [Variant[String, Array[String]]] server
  #   As in search_nodes.
  # @return [Optional[Hash]]
  #   identity, fqdn, facts, trusted, classes, agents, collectives, lastseen, state and more.
  dispatch :load do
    scope_param
    param 'Pattern[/\A[A-Za-z0-9._:-]{1,255}\z/]', :identity
    optional_param <<-TYPE, :options
      Struct[{
        Optional['unknown']  => Enum['error', 'undef'],
        Optional['default']  => Any,
        Optional['max_age']  => Variant[Integer[1], Pattern[/\\A[1-9][0-9]*[smhd]\\z/]],
        Optional['on_error'] => Enum['fail', 'cache', 'default'],
        Optional['server']   => Variant[String[1], Array[String[1], 1]]
      }]
    TYPE
  end

  def load(scope, identity, options = {})
    PuppetX::Muster::Question.new('load_node', scope, options).load(identity)
  end
end
