# frozen_string_literal: true

require_relative '../../puppet_x/muster/question'

# Names the one node that a query selects. None, or more than one, fails the
# compilation.
#
# @example
#   $master = search_node('customer=? mysql::master', { 'params' => [$facts['customer']] })
#
# @example Its address; undef while there is none
#   $ip = search_node('mysql::master', { 'return' => 'networking.ip', 'default' => undef })
Puppet::Functions.create_function(:search_node, Puppet::Functions::InternalFunction) do
  # @param query
  #   As in search_nodes.
  # @param options
  #   As in search_nodes; expect is always one.
  # @return
  #   A name; a value where return is a path; a hash where it is a list or full. The option default where no node matches.
  dispatch :search do
    scope_param
    param 'Variant[String[1], Hash]', :query
    optional_param PuppetX::Muster::Question.option_types, :options
  end

  def search(scope, query, options = {})
    found = PuppetX::Muster::Question.new('search_node', scope, options.merge('expect' => 'one')).search(query)
    found.equal?(options['default']) ? found : found[0]
  end
end
