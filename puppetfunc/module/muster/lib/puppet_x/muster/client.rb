# frozen_string_literal: true

require 'json'
require 'net/http'
require 'openssl'
require 'timeout'
require_relative 'errors'

module PuppetX
  module Muster
    # Asks the servers of the settings, in turn, until one has a whole answer.
    # That one is down, slow, busy (429) or broken (5xx) is no answer; any other
    # refusal is one, and final.
    class Client
      LONGEST = 4000 unless const_defined?(:LONGEST) # of what stands in a URL

      # requested_by is the node whose catalog is compiled, for the server's log.
      def initialize(settings, requested_by)
        @settings = settings
        @requested_by = requested_by.to_s
      end

      # All nodes of a search: {'nodes', 'oldest', 'server', 'etag'}. known is what
      # an earlier call returned; it is returned again if the server says that it
      # still holds.
      def search(body, known = nil)
        first_answer do |server|
          response = ask(server, body, known)
          response.code == '304' ? known : pages(server, body, response)
        end
      end

      # The JSON of a GET, as {'value', 'server', 'etag'}. Raises Unknown where
      # the server says so itself.
      def get(path, known = nil)
        first_answer do |server|
          response = request(server, 'GET', path, nil, known)
          next known if response.code == '304'

          { 'value' => parse(response), 'server' => server.to_s, 'etag' => response['ETag'] }
        end
      end

      private

      def first_answer
        troubles = @settings.servers.map do |server|
          begin
            return yield(server)
          rescue Timeout::Error
            "#{server}: no answer within #{@settings.timeout} seconds"
          rescue OpenSSL::OpenSSLError, Puppet::SSL::SSLError => e
            "#{server}: #{Muster.one_line(e.message)}#{crl_hint(e.message)}"
          rescue Unavailable, SystemCallError, SocketError, IOError, Net::ProtocolError, Net::HTTPBadResponse, Net::HTTPHeaderSyntaxError => e
            "#{server}: #{Muster.one_line(e.message)}"
          end
        end
        raise Unavailable, "no server answered: #{troubles.join('; ')}"
      end

      # With fields the server answers a page at a time; an ETag is of one page.
      def pages(server, body, response)
        page = whole(response)
        found = { 'nodes' => page['nodes'], 'oldest' => page['oldest'], 'server' => server.to_s, 'etag' => response['ETag'] }
        until page['complete']
          page = whole(ask(server, body.merge('cursor' => page['cursor'])))
          found['nodes'] += page['nodes']
          found['oldest'] = [found['oldest'], page['oldest']].compact.min
          found['etag'] = nil
        end
        found
      end

      # A GET can be asked again with its ETag; a long question needs a body.
      def ask(server, body, known = nil)
        path = "/v1/search?#{URI.encode_www_form('ask' => JSON.generate(body))}"
        return request(server, 'GET', path, nil, known) if path.length <= LONGEST

        request(server, 'POST', '/v1/search', body)
      end

      def request(server, method, path, body, known = nil)
        head = { 'Accept' => 'application/json', 'Accept-Encoding' => 'identity',
                 'User-Agent' => "muster Puppet/#{Puppet.version}", 'Muster-Requested-By' => @requested_by }
        head['Content-Type'] = 'application/json' if body
        head['Authorization'] = "Bearer #{@settings.token}" if @settings.token && confidential(server)
        head['If-None-Match'] = known['etag'] if known && known['etag'] && known['server'] == server.to_s
        message = Net::HTTP.const_get(method.capitalize).new(server.path.chomp('/') + path, head)
        message.body = JSON.generate(body) if body
        response = Timeout.timeout(@settings.timeout) { connection(server).start { |http| http.request(message) } }
        return response if response.code == '200' || (response.code == '304' && head.key?('If-None-Match'))

        raise complaint(response, parse(response))
      end

      # Neither a proxy nor a second try comes in between, and a redirection is
      # not followed: the token and the query go to the server named, once.
      def connection(server)
        http = Net::HTTP.new(server.host, server.port, nil)
        http.open_timeout = http.read_timeout = @settings.timeout
        http.max_retries = 0
        return http unless server.scheme == 'https'

        http.use_ssl = true
        http.min_version = OpenSSL::SSL::TLS1_2_VERSION
        http.verify_mode = OpenSSL::SSL::VERIFY_PEER
        @settings.ssl ? own_certificates(http, @settings.ssl) : puppets_certificates(http)
        http
      end

      # The agent's own key and certificate; under puppetserver they are the server's.
      # Ruby finds the CAs between it and the root in the store. They are not named
      # in extra_chain_cert: JRuby 9.4, Puppet 8's, then shows the first of them
      # instead of the certificate.
      def puppets_certificates(http)
        context = Puppet::SSL::SSLProvider.new.load_context(certname: Puppet[:certname], revocation: Puppet[:certificate_revocation])
        http.cert_store = context.store
        http.cert = context.client_cert
        http.key = context.private_key
      end

      def own_certificates(http, ssl)
        http.ca_file = ssl['ca'] if ssl['ca']
        http.cert = OpenSSL::X509::Certificate.new(File.read(ssl['cert'])) if ssl['cert']
        http.key = OpenSSL::PKey.read(File.read(ssl['key'])) if ssl['key']
      end

      def confidential(server)
        return true if server.scheme == 'https' || ['localhost', '127.0.0.1', '[::1]'].include?(server.host)

        raise Refused, "the token is not sent to #{server}: only https keeps it secret"
      end

      # A search's answer, if it is all of one.
      def whole(response)
        answer = parse(response)
        nodes = answer['nodes']
        raise Unavailable, 'the answer holds no list of nodes' unless nodes.is_a?(Array)
        unless answer['count'] == nodes.length
          raise Unavailable, "half an answer: it announces #{answer['count'].inspect} nodes and holds #{nodes.length}"
        end

        more = answer['complete'] == false && answer['cursor'].is_a?(String) && !nodes.empty?
        raise Unavailable, 'half an answer: the server says that it is not complete' unless answer['complete'] == true || more

        answer
      end

      # Net::HTTP takes a connection that breaks off for the end of the answer.
      def parse(response)
        body = response.body.to_s
        length = response.content_length || body.bytesize
        raise Unavailable, "half an answer: #{body.bytesize} of #{length} bytes" unless body.bytesize == length

        answer = JSON.parse(body)
        raise Unavailable, "HTTP #{response.code} with JSON that is no object" unless answer.is_a?(Hash)

        answer
      rescue JSON::ParserError
        raise Unavailable, "HTTP #{response.code} with something that is not JSON: is this a muster server?"
      end

      def complaint(response, answer)
        error = answer['error'].is_a?(Hash) ? answer['error'] : {}
        text = Muster.one_line([error['message'], error['hint']].compact.reject(&:empty?).join('; '))
        text = "HTTP #{response.code}#{": #{text}" unless text.empty?}"
        case response.code.to_i
        when 404 then error['code'] == 'not_found' && text.include?('no node is called') ? Unknown.new(text) : Refused.new(text)
        when 400, 413 then Refused.new("the query was refused: #{text.sub(/\AHTTP \d+: /, '')}")
        when 408, 429 then Unavailable.new(text)
        when 400..499 then Refused.new("the server refused: #{text}")
        else Unavailable.new(text)
        end
      end

      # Puppet checks the whole chain against the CRLs and names the wrong culprit.
      def crl_hint(message)
        return '' unless message.include?('CRL')

        ' (the CA bundle and crl.pem must hold the same authorities, or certificate_revocation must be leaf)'
      end
    end
  end
end
