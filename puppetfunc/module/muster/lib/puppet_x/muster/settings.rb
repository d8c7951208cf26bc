# frozen_string_literal: true

require 'digest/sha2'
require 'uri'
require 'yaml'
require_relative 'errors'

module PuppetX
  module Muster
    # What muster.yaml in Puppet's confdir says, checked: an unknown key is an
    # error. The zero of each setting stands beside it.
    class Settings
      attr_reader :servers, # URIs, asked in turn; http://127.0.0.1:8280
                  :timeout, # seconds for one request; 10
                  :token,   # nil
                  :ssl,     # paths of ca, cert and key; nil: Puppet's own
                  :fresh,   # seconds for which an answer is given again without asking; 5
                  :keep,    # seconds for which an answer serves on_error => cache; a week
                  :dir      # of the cache

      # servers are what a manifest names instead.
      def initialize(path = File.join(Puppet[:confdir], 'muster.yaml'), servers: nil)
        @path = path
        config = read
        cache = config['cache'] || {}
        @servers = [servers || config['servers'] || config['server'] || 'http://127.0.0.1:8280'].flatten.map { |s| address(s) }
        @timeout = config['timeout'] || 10
        @token = secret(config['token_file'])
        @ssl = config['ssl']
        @fresh = cache['fresh'] || 5
        @keep = cache['keep'] || 7 * 86_400
        @dir = cache['dir'] || File.join(Puppet[:vardir], 'muster')
      end

      # Whom is asked, and as whom: two who differ in it share no answers.
      def identity
        [@servers.map(&:to_s), Puppet[:certname], @ssl, @token && Digest::SHA256.hexdigest(@token)]
      end

      private

      def read
        return {} unless File.exist?(@path)

        config = YAML.safe_load(File.read(@path)) || {}
        strict('', config, 'server' => String, 'servers' => Array, 'token_file' => String, 'timeout' => Numeric, 'ssl' => Hash, 'cache' => Hash)
        strict('ssl.', config['ssl'], 'ca' => String, 'cert' => String, 'key' => String) if config.key?('ssl')
        strict('cache.', config['cache'], 'fresh' => Numeric, 'keep' => Numeric, 'dir' => String) if config.key?('cache')
        raise Refused, "#{@path}: give server or servers, not both" if config.key?('server') && config.key?('servers')
        raise Refused, "#{@path}: servers names none" if config['servers'] == []

        config
      rescue Psych::Exception, SystemCallError => e
        raise Refused, "#{@path} cannot be read: #{Muster.one_line(e.message)}"
      end

      def strict(prefix, config, known)
        raise Refused, "#{@path} must hold keys and values" unless config.is_a?(Hash)

        config.each do |key, value|
          raise Refused, "#{@path}: unknown key '#{prefix}#{key}'; known are #{known.keys.join(', ')}" unless known.key?(key)
          next if value.is_a?(known[key]) && !(value.is_a?(Numeric) && value.negative?)

          raise Refused, "#{@path}: the value of '#{prefix}#{key}' is not what it must be (#{known[key]})"
        end
      end

      def address(server)
        uri = URI.parse(server.to_s)
        return uri if uri.is_a?(URI::HTTP) && !uri.host.to_s.empty? && uri.userinfo.nil?

        raise URI::InvalidURIError
      rescue URI::InvalidURIError
        raise Refused, "'#{server}' is not the address of a server, such as https://muster.example.net:8280"
      end

      def secret(path)
        path && File.read(path).strip
      rescue SystemCallError => e
        raise Refused, "the token cannot be read: #{Muster.one_line(e.message)}"
      end
    end
  end
end
