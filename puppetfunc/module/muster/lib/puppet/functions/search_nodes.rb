# frozen_string_literal: true

require 'json'
require 'net/http'
require 'timeout'
require 'uri'
require 'yaml'

# Names the nodes that a query selects, as the muster registry knows them.
#
# The list is sorted, so that a template over it does not change between runs.
# Whatever goes wrong fails the compilation: an empty list always means that no
# node matches.
#
# @example The -W words, with the value bound and never parsed
#   $masters = search_nodes('customer=? mysql::master', { 'params' => [$facts['customer']] })
#
# @example A Puppet hash
#   $masters = search_nodes({ 'facts.customer' => 'acme', 'classes' => 'mysql::master' })
#
# @example The addresses instead of the names
#   $addresses = search_nodes('haproxy::backend', { 'return' => 'networking.ip' })
Puppet::Functions.create_function(:search_nodes, Puppet::Functions::InternalFunction) do
  # @param query
  #   Text in any dialect of muster (-W words, -S expressions, a Mongo document, PQL ...), or a
  #   Mongo document as a hash.
  # @param options
  #   params: values for each ? (array) or $name (hash) of the query; they are bound, never parsed.
  #   return: identity (default), a fact path, a list of paths, or full (all that is known).
  #   sort, limit, state, collective, dialect: as `muster find` has them.
  #   server: one URL or several, instead of those in muster.yaml.
  # @return
  #   Names; values where return is a path; hashes where it is a list or full.
  dispatch :search do
    scope_param
    param 'Variant[String[1], Hash]', :query
    optional_param <<-TYPE, :options
      Struct[{
        Optional['params']     => Variant[Array, Hash[Pattern[/\\A[A-Za-z_][A-Za-z0-9_]*\\z/], Any]],
        Optional['return']     => Variant[String[1], Array[String[1], 1]],
        Optional['sort']       => String[1],
        Optional['limit']      => Integer[1],
        Optional['state']      => Enum['active', 'stale', 'expired', 'deactivated', 'live', 'any'],
        Optional['collective'] => String[1],
        Optional['dialect']    => Enum['auto', 'native', 'select', 'with', 'mongo', 'pql', 'ast'],
        Optional['server']     => Variant[String[1], Array[String[1], 1]]
      }]
    TYPE
    return_type 'Array'
  end

  def search(scope, query, options = {})
    config = settings(options)
    nodes = all_pages(config, request(query, options), requested_by(scope))
    shape(nodes, options)
  end

  # --- what is asked

  def request(query, options)
    body = { 'q' => query.is_a?(String) ? query : JSON.generate(plain(query)), 'unknown' => 'error' }
    body['dialect'] = 'mongo' unless query.is_a?(String)
    %w[sort limit state collective dialect].each { |key| body[key] = options[key] if options.key?(key) }
    body['param'] = plain(options['params']) if options.key?('params')
    fields = fields(options)
    body['fields'] = fields if fields
    body
  end

  def fields(options)
    case options['return']
    when nil, 'identity' then nil
    when 'full' then ['*']
    when String then [options['return']]
    else options['return']
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
        refuse("a key of the query is #{key.inspect}, which is not a string") unless key.is_a?(String)
        out[key] = plain(v)
      end
    else refuse("a query cannot hold a value of the type #{Puppet::Pops::Types::TypeCalculator.infer(value).simple_name}")
    end
  end

  # The node whose catalog is compiled, for the server's log. $trusted does not
  # exist where a Deferred is resolved, and asking for it is fatal in Puppet 8.
  def requested_by(scope)
    trusted = scope.include?('trusted') ? scope['trusted'] : nil
    (trusted.is_a?(Hash) && trusted['certname']) || Puppet[:certname]
  end

  # --- whom to ask, and how

  def settings(options)
    config = read_settings(File.join(Puppet[:confdir], 'muster.yaml'))
    servers = options['server'] || config['servers'] || config['server'] || 'http://127.0.0.1:8280'
    { servers: [servers].flatten.map { |server| address(server) },
      timeout: config['timeout'] || 10,
      token: token(config['token_file']),
      ssl: config['ssl'] }
  end

  def read_settings(path)
    return {} unless File.exist?(path)

    config = YAML.safe_load(File.read(path)) || {}
    strict(path, '', config, 'server' => String, 'servers' => Array, 'token_file' => String, 'timeout' => Numeric, 'ssl' => Hash)
    strict(path, 'ssl.', config['ssl'], 'ca' => String, 'cert' => String, 'key' => String) if config.key?('ssl')
    refuse("#{path}: give server or servers, not both") if config.key?('server') && config.key?('servers')
    config
  rescue Psych::Exception, SystemCallError => e
    refuse("#{path} cannot be read: #{one_line(e.message)}")
  end

  def strict(path, prefix, config, known)
    refuse("#{path} must hold keys and values") unless config.is_a?(Hash)
    config.each do |key, value|
      refuse("#{path}: unknown key '#{prefix}#{key}'; known are #{known.keys.join(', ')}") unless known.key?(key)
      refuse("#{path}: the value of '#{prefix}#{key}' is not what it must be (#{known[key]})") unless value.is_a?(known[key])
    end
  end

  def address(server)
    uri = URI.parse(server.to_s)
    unless uri.is_a?(URI::HTTP) && uri.host && uri.userinfo.nil?
      refuse("'#{server}' is not the address of a server, such as https://muster.example.net:8280")
    end
    uri
  rescue URI::InvalidURIError
    refuse("'#{server}' is not the address of a server, such as https://muster.example.net:8280")
  end

  def token(path)
    path && File.read(path).strip
  rescue SystemCallError => e
    refuse("the token cannot be read: #{one_line(e.message)}")
  end

  # --- asking

  # With fields the server answers a page at a time.
  def all_pages(config, body, requested_by)
    nodes = []
    loop do
      answer = first_answer(config, body, requested_by)
      nodes.concat(answer['nodes'])
      return nodes if answer['complete']

      body = body.merge('cursor' => answer['cursor'])
    end
  end

  # The answer of the first server that has a whole one.
  def first_answer(config, body, requested_by)
    troubles = config[:servers].map do |server|
      begin
        return whole(ask(server, config, body, requested_by))
      rescue Timeout::Error
        "#{server}: no answer within #{config[:timeout]} seconds"
      rescue Puppet::SSL::SSLError, OpenSSL::OpenSSLError => e
        "#{server}: #{one_line(e.message)}#{crl_hint(e.message)}"
      rescue SystemCallError, SocketError, IOError, Net::ProtocolError, RuntimeError => e
        raise if e.is_a?(Puppet::Error)

        "#{server}: #{one_line(e.message)}"
      end
    end
    refuse("no server answered: #{troubles.join('; ')}")
  end

  def ask(server, config, body, requested_by)
    post = Net::HTTP::Post.new("#{server.path.chomp('/')}/v1/search",
                               'Content-Type' => 'application/json', 'Accept' => 'application/json',
                               'Accept-Encoding' => 'identity',
                               'User-Agent' => "muster search_nodes, Puppet/#{Puppet.version}",
                               'Muster-Requested-By' => requested_by.to_s)
    post['Authorization'] = "Bearer #{config[:token]}" if config[:token] && confidential(server)
    post.body = JSON.generate(body)
    Timeout.timeout(config[:timeout]) { connection(server, config).start { |http| http.request(post) } }
  end

  # Neither a proxy nor a second try comes in between, and a redirection is not
  # followed: the token and the query go to the server named, once.
  def connection(server, config)
    http = Net::HTTP.new(server.host, server.port, nil)
    http.open_timeout = http.read_timeout = config[:timeout]
    http.max_retries = 0
    return http unless server.scheme == 'https'

    http.use_ssl = true
    http.verify_mode = OpenSSL::SSL::VERIFY_PEER
    config[:ssl] ? own_certificates(http, config[:ssl]) : puppets_certificates(http)
    http
  end

  # The agent's own key and certificate; under puppetserver they are the server's.
  def puppets_certificates(http)
    context = Puppet::SSL::SSLProvider.new.load_context(certname: Puppet[:certname], revocation: Puppet[:certificate_revocation])
    http.cert_store = context.store
    http.cert = context.client_cert
    http.key = context.private_key
    intermediates = Array(context.client_chain).drop(1)
    http.extra_chain_cert = intermediates unless intermediates.empty? || !http.respond_to?(:extra_chain_cert=)
  end

  def own_certificates(http, ssl)
    http.ca_file = ssl['ca'] if ssl['ca']
    http.cert = OpenSSL::X509::Certificate.new(File.read(ssl['cert'])) if ssl['cert']
    http.key = OpenSSL::PKey.read(File.read(ssl['key'])) if ssl['key']
  end

  def confidential(server)
    return true if server.scheme == 'https' || ['localhost', '127.0.0.1', '[::1]'].include?(server.host)

    refuse("the token is not sent to #{server}: only https keeps it secret")
  end

  # --- what came back

  # The answer, if it is all of one. Raises a RuntimeError where another server
  # may do better, and fails the compilation where none would.
  def whole(response)
    answer = parse(response)
    raise complaint(response, answer) unless response.code == '200'

    nodes = answer['nodes']
    raise 'the answer holds no list of nodes' unless nodes.is_a?(Array)
    raise "half an answer: it announces #{answer['count'].inspect} nodes and holds #{nodes.length}" unless answer['count'] == nodes.length

    more = answer['cursor'].is_a?(String) && !nodes.empty?
    raise 'half an answer: the server says that it is not complete' unless answer['complete'] == true || more

    answer
  end

  # Net::HTTP takes a connection that breaks off for the end of the answer.
  def parse(response)
    body = response.body.to_s
    length = response.content_length || body.bytesize
    raise "half an answer: #{body.bytesize} of #{length} bytes" unless body.bytesize == length

    answer = JSON.parse(body)
    raise "HTTP #{response.code} with JSON that is no object" unless answer.is_a?(Hash)

    answer
  rescue JSON::ParserError
    raise "HTTP #{response.code} with something that is not JSON: is this a muster server?"
  end

  # A query that was not understood would be refused by every server.
  def complaint(response, answer)
    error = answer['error'].is_a?(Hash) ? answer['error'] : {}
    text = [error['message'] || "HTTP #{response.code}", error['hint']].compact.reject(&:empty?).join('; ')
    refuse("the query was refused: #{one_line(text)}") if %w[400 413].include?(response.code)
    "HTTP #{response.code}: #{text}"
  end

  def shape(nodes, options)
    wanted = options['return'] || 'identity'
    if wanted == 'identity'
      refuse('the server sent something that is not a name') unless nodes.all? { |n| n.is_a?(String) }
      return options['sort'] ? nodes : nodes.sort
    end
    refuse('the server sent nodes without their fields') unless nodes.all? { |n| n.is_a?(Hash) && n['identity'].is_a?(String) }
    nodes = nodes.sort_by { |n| n['identity'] } unless options['sort']
    return nodes if wanted == 'full' || wanted.is_a?(Array)

    nodes.map { |n| value(n, wanted) }
  end

  # A list with holes would end up in a configuration file.
  def value(node, path)
    return node[path] unless node[path].nil?

    refuse("#{node['identity']} has no '#{path}'; ask only for nodes that have it, or for a list of paths")
  end

  # --- words

  def refuse(text)
    raise Puppet::Error, "search_nodes: #{text}"
  end

  def one_line(text)
    text.to_s.gsub(/\s+/, ' ').strip
  end

  # Puppet checks the whole chain against the CRLs and names the wrong culprit.
  def crl_hint(message)
    return '' unless message.include?('CRL')

    ' (the CA bundle and crl.pem must hold the same authorities, or certificate_revocation must be leaf)'
  end
end
