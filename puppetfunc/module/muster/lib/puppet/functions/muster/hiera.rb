# frozen_string_literal: true

require_relative '../../../puppet_x/muster/question'

# Hiera 5 data from the muster registry: answers of queries that hiera.yaml
# names, and what the server has for the node (serve.hiera in its settings).
#
# @example hiera.yaml: queries of its own; values are bound, never written into a query
#   - name: peers
#     lookup_key: muster::hiera
#     options:
#       queries:
#         galera::peers: { query: 'customer=? galera::node', params: ['%{facts.customer}'], return: networking.ip, expect: some }
#
# @example hiera.yaml: what the server has, of this node
#   - name: muster
#     lookup_key: muster::hiera
#     options:
#       node: '%{trusted.certname}'
Puppet::Functions.create_function(:'muster::hiera', Puppet::Functions::InternalFunction) do
  # @param key
  #   What is looked up.
  # @param options
  #   queries, by key: the text of a query, or a hash of query and the options of search_nodes.
  #   node: the certname whose data the server is asked for. server, on_error: as in search_nodes.
  # @param context
  #   Hiera's.
  # @return
  #   The value, or Hiera's not_found.
  dispatch :lookup do
    scope_param
    param 'Variant[String, Numeric]', :key
    param <<-TYPE, :options
      Struct[{
        Optional['queries']  => Hash[String[1], Variant[String[1], Hash[String[1], Any]]],
        Optional['node']     => String,
        Optional['on_error'] => Enum['fail', 'cache'],
        Optional['server']   => Variant[String[1], Array[String[1], 1]],
        Optional['uri']      => String,
        Optional['path']     => String
      }]
    TYPE
    param 'Puppet::LookupContext', :context
  end

  def lookup(scope, key, options, context)
    query = (options['queries'] || {})[key]
    if query
      context.explain { "muster is asked #{query}" }
      return search(query, options)
    end
    data = options['node'].to_s.empty? ? {} : of_node(scope, options, context)
    data.key?(key) ? data[key] : context.not_found
  end

  # search_nodes checks the options, and says what is wrong with them.
  def search(query, options)
    wanted = query.is_a?(Hash) ? query : { 'query' => query }
    text = wanted['query']
    raise Puppet::DataBinding::LookupError, 'muster::hiera: a query of hiera.yaml has no query' unless text

    shared = options.select { |name, _| %w[server on_error].include?(name) }
    call_function('search_nodes', text, shared.merge(wanted.reject { |name, _| name == 'query' }))
  end

  # Asked once for a catalog, of which each parameter of a class is a lookup.
  def of_node(scope, options, context)
    cached = "node #{options['node']}"
    return context.cached_value(cached) if context.cache_has_key(cached)

    context.cache(cached, PuppetX::Muster::Question.new('muster::hiera', scope, options).hiera(options['node']))
  end
end
