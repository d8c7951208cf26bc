# frozen_string_literal: true

require_relative 'errors'

module PuppetX
  module Muster
    # Finds facts of the compiling node that a manifest wrote into a query. A node
    # chooses its facts: one that reads as a piece of a query rewrites it.
    module Injection
      # What is more than a word or a number to one of the dialects. Dots, dashes
      # and the like are in every host's name.
      def self.syntax?(text)
        text.match?(/[\s'"`()\[\]{}=<>!~|&,;*?$\\]|\A\//) || text.match?(/\A(and|or|not)\z/i)
      end

      # The path of the first fact whose value stands in the query as a piece of
      # its text, or nil. A value within quotes that it cannot leave does not count.
      def self.in_text(query, facts)
        each_fact(facts) do |path, value|
          next unless value.is_a?(String) && value.length > 1 && syntax?(value)
          return path if stands_open?(query, value)
        end
        nil
      end

      # The same for a query as a hash: a fact that is a map with operators in it.
      def self.in_hash(query, facts)
        parts = []
        walk(query) { |value| parts << value if operators?(value) }
        return nil if parts.empty?

        each_fact(facts) { |path, value| return path if operators?(value) && parts.include?(value) }
        nil
      end

      def self.stands_open?(query, value)
        at = -1
        while (at = query.index(value, at + 1))
          quote = at.positive? ? query[at - 1] : nil
          closed = ["'", '"'].include?(quote) && query[at + value.length] == quote
          return true unless closed && !value.include?(quote) && !value.include?('\\')
        end
        false
      end

      def self.operators?(value)
        value.is_a?(Hash) && value.keys.any? { |key| key.to_s.start_with?('$') }
      end

      def self.walk(value, &block)
        yield value
        case value
        when Hash then value.each_value { |v| walk(v, &block) }
        when Array then value.each { |v| walk(v, &block) }
        end
      end

      def self.each_fact(value, path = nil, &block)
        yield path, value if path
        case value
        when Hash then value.each { |key, v| each_fact(v, [path, key].compact.join('.'), &block) }
        when Array then value.each_with_index { |v, i| each_fact(v, "#{path}.#{i}", &block) }
        end
      end

      private_class_method :stands_open?, :operators?, :walk, :each_fact
    end
  end
end
