# frozen_string_literal: true

require 'json'
require 'time'
require 'uri'
require_relative 'cache'
require_relative 'client'
require_relative 'injection'
require_relative 'settings'

module PuppetX
  module Muster
    # One question of a manifest to the registry. It knows the node whose catalog
    # is compiled (scope), and which function was called, for messages.
    class Question
      # The types of the options, for functions' dispatches.
      def self.option_types
        <<-TYPE
          Struct[{
            Optional['params']     => Variant[Array, Hash[Pattern[/\\A[A-Za-z_][A-Za-z0-9_]*\\z/], Any]],
            Optional['return']     => Variant[String[1], Array[String[1], 1]],
            Optional['unknown']    => Enum['error', 'allow'],
            Optional['sort']       => String[1],
            Optional['limit']      => Integer[1],
            Optional['state']      => Enum['active', 'stale', 'expired', 'deactivated', 'live', 'any'],
            Optional['collective'] => String[1],
            Optional['dialect']    => Enum['auto', 'native', 'select', 'with', 'mongo', 'pql', 'ast'],
            Optional['source']     => Enum['catalog'],
            Optional['max_age']    => Variant[Integer[1], Pattern[/\\A[1-9][0-9]*[smhd]\\z/]],
            Optional['expect']     => Enum['one', 'some', 'any'],
            Optional['default']    => Any,
            Optional['on_error']   => Enum['fail', 'cache', 'default'],
            Optional['server']     => Variant[String[1], Array[String[1], 1]]
          }]
        TYPE
      end

      def initialize(function, scope, options, settings = nil)
        @function = function
        @scope = scope
        @options = options
        @settings = settings || Settings.new(servers: options['server'])
        @client = Client.new(@settings, certname)
        @cache = Cache.new(@settings)
      rescue Refused => e
        fail!(e.message)
      end

      # The nodes of a search as the options want them: an array, or what the
      # option default says.
      def search(query)
        look_for_injection(query)
        wanted = request(query)
        entry = answer(wanted) { |known| @client.search(wanted, known) }
        return @options['default'] if entry.nil?

        nodes = shape(entry['nodes'])
        return @options['default'] if nodes.empty? && @options.key?('default')

        expected(nodes)
      rescue Refused, Unavailable => e
        fail!(e.message)
      end

      # What the server has for Hiera of a node.
      def hiera(certname)
        path = "/v1/hiera/#{escaped(certname)}"
        answer(path) { |known| @client.get(path, known) }['value']
      rescue Refused, Unavailable => e
        fail!(e.message)
      end

      # A node as a hash; nil if there is none of that name.
      def load(identity)
        path = "/v1/nodes/#{escaped(identity)}"
        entry = answer(path) { |known| loaded(path, known) }
        return @options['default'] if entry.nil?
        return with_fqdn(entry['value']) if entry['value']
        return @options['default'] if @options.key?('default')

        raise Refused, "no node is called '#{identity}'" if @options['unknown'] == 'error'
      rescue Refused, Unavailable => e
        fail!(e.message)
      end

      private

      def escaped(name)
        URI.encode_www_form_component(name).gsub('+', '%20')
      end

      # That there is no such node is an answer, and kept as one.
      def loaded(path, known)
        entry = @client.get(path, known && known['value'] ? known : nil)
        raise Unavailable, 'half an answer: it names no node' unless entry['value']['identity'].is_a?(String)

        entry.merge('oldest' => entry['value']['seen'])
      rescue Unknown
        { 'value' => nil }
      end

      # --- what is asked

      def request(query)
        body = { 'q' => query.is_a?(String) ? query : JSON.generate(plain(query)) }
        body['dialect'] = 'mongo' unless query.is_a?(String)
        %w[sort limit state collective dialect source].each { |key| body[key] = @options[key] if @options.key?(key) }
        body['param'] = plain(@options['params']) if @options.key?('params')
        body['unknown'] = strictness
        body['fields'] = fields if fields
        body
      end

      def allowed?
        @options['unknown'] == 'allow'
      end

      # Not every node has a fact fqdn: there the names in the query alone are checked.
      def strictness
        return 'warn' if allowed?

        @options['return'] == 'fqdn' ? 'query' : 'error'
      end

      def fields
        case @options['return']
        when nil, 'identity' then nil
        when 'full' then ['*']
        when 'fqdn' then %w[networking.fqdn fqdn]
        when String then [@options['return']]
        else @options['return']
        end
      end

      # A value of Puppet's as JSON has it. Secrets are not sent, and what has no
      # JSON is refused instead of being turned into some text.
      def plain(value)
        case value
        when String, Integer, Float, true, false, nil then value
        when :undef then nil
        when Regexp then { '$regex' => value.source }
        when Array then value.map { |v| plain(v) }
        when Hash
          value.each_with_object({}) do |(key, v), out|
            raise Refused, "a key of the query is #{key.inspect}, which is not a string" unless key.is_a?(String)

            out[key] = plain(v)
          end
        else
          kind = Puppet::Pops::Types::TypeCalculator.infer(value).simple_name
          raise Refused, "a query cannot hold a value of the type #{kind}"
        end
      end

      # --- the answer, and what becomes of none

      # The block's answer or the cache's; nil: the default is wanted.
      def answer(wanted)
        check_options
        key = JSON.generate([environment, @settings.identity, wanted])
        begin
          young(@cache.fetch(key) { |known| yield(max_age ? nil : known) })
        rescue Unavailable => e
          raise if [nil, 'fail'].include?(@options['on_error'])

          if @options['on_error'] == 'default'
            warn("#{e.message}; the default is used")
            return nil
          end
          last = @cache.last(key) || raise(Unavailable, "#{e.message}; and no earlier answer is kept")
          young(last)
          warn("#{e.message}; an answer #{@cache.age(last).round} seconds old is used")
          last
        end
      end

      def check_options
        return unless @options['on_error'] == 'default' && !@options.key?('default')

        raise Refused, "on_error => 'default' needs the option default"
      end

      # An answer that rests on nothing older than max_age: neither it nor the last
      # word of any node in it.
      def young(entry)
        return entry unless max_age

        oldest = entry['oldest'] ? Time.iso8601(entry['oldest']) : nil
        age = [@cache.age(entry), oldest ? Time.now - oldest : 0].max
        return entry if age <= max_age && (oldest || !found?(entry))

        raise Unavailable, 'the answer holds nodes that were never heard of' if oldest.nil? && age <= max_age

        raise Unavailable, "the answer rests on word #{age.round} seconds old, and max_age is #{max_age}"
      rescue ArgumentError
        raise Unavailable, "the answer's date is none: #{entry['oldest']}"
      end

      def found?(entry)
        entry['value'] || !Array(entry['nodes']).empty?
      end

      def max_age
        given = @options['max_age']
        return given unless given.is_a?(String)

        given.to_i * { 's' => 1, 'm' => 60, 'h' => 3600, 'd' => 86_400 }[given[-1]]
      end

      def expected(nodes)
        case @options['expect']
        when 'some'
          raise Refused, 'no node matches, and some are expected' if nodes.empty?
        when 'one'
          raise Refused, 'no node matches, and one is expected' if nodes.empty?
          raise Refused, "#{nodes.length} nodes match, and one is expected: #{sample(nodes)}" if nodes.length > 1
        end
        nodes
      end

      def sample(nodes)
        names = nodes.first(5).map { |n| n.is_a?(Hash) ? n['identity'] : n }
        names << '...' if nodes.length > 5
        names.join(', ')
      end

      # --- what came back

      def shape(nodes)
        wanted = @options['return'] || 'identity'
        if wanted == 'identity'
          raise Unavailable, 'the server sent something that is not a name' unless nodes.all? { |n| n.is_a?(String) }

          return @options['sort'] ? nodes : nodes.sort
        end
        unless nodes.all? { |n| n.is_a?(Hash) && n['identity'].is_a?(String) }
          raise Unavailable, 'the server sent nodes without their fields'
        end

        nodes = nodes.sort_by { |n| n['identity'] } unless @options['sort']
        case wanted
        when 'full' then nodes.map { |n| with_fqdn(n) }
        when 'fqdn' then nodes.map { |n| n['networking.fqdn'] || n['fqdn'] || n['identity'] }
        when Array then nodes
        else nodes.map { |n| value(n, wanted) }
        end
      end

      # A list with holes would end up in a configuration file.
      def value(node, path)
        return node[path] if allowed? || !node[path].nil?

        raise Refused, "#{node['identity']} has no '#{path}'; ask only for nodes that have it, for a list of paths, or with unknown => 'allow'"
      end

      # Templates of old look for fqdn beside facts.
      def with_fqdn(node)
        facts = node['facts'].is_a?(Hash) ? node['facts'] : {}
        { 'fqdn' => facts.dig('networking', 'fqdn') || facts['fqdn'] || node['identity'] }.merge(node)
      rescue TypeError
        { 'fqdn' => node['identity'] }.merge(node)
      end

      # --- who asks

      # $trusted and $facts do not exist wherever a Deferred is resolved, and asking
      # for them is fatal in Puppet 8.
      def variable(name)
        value = @scope.include?(name) ? @scope[name] : nil
        value.is_a?(Hash) ? value : {}
      end

      def certname
        variable('trusted')['certname'] || Puppet[:certname]
      end

      def environment
        name = @scope.respond_to?(:environment) && @scope.environment ? @scope.environment.name : Puppet[:environment]
        name.to_s
      end

      def look_for_injection(query)
        facts = variable('facts')
        found = query.is_a?(String) ? Injection.in_text(query, facts) : Injection.in_hash(query, facts)
        return unless found

        warn("the query holds the value of the fact '#{Muster.one_line(found)[0, 80]}' of #{certname}, which reads as a piece of a query; " \
             "a node chooses its facts: bind the value with ? and params#{place}")
      end

      def place
        file, line = Puppet::Pops::PuppetStack.top_of_stack
        file ? " (file: #{file}, line: #{line})" : ''
      end

      def warn(text)
        Puppet.warning("#{@function}: #{text}")
      end

      def fail!(text)
        raise Puppet::Error, "#{@function}: #{text}"
      end
    end
  end
end
