# frozen_string_literal: true

require 'minitest/autorun'
require 'json'
require 'puppet'
require 'puppet/test/test_helper'
require 'socket'
require 'tmpdir'

require_relative '../lib/puppet_x/muster/question'

home = Dir.mktmpdir # nothing of this machine's
Minitest.after_run { FileUtils.remove_entry(home) }
Puppet.initialize_settings(['--confdir', "#{home}/conf", '--vardir', "#{home}/var"])
Puppet[:certname] = 'puppet.example.net'
Puppet::Util::Log.level = :debug

# A server that says what it is told to. The block gets the request as a hash
# and returns [status, head, body], or the bytes to send before it hangs up.
class FakeServer
  attr_reader :requests

  def initialize(&answer)
    @answer = answer
    @requests = Queue.new
    @listener = TCPServer.new('127.0.0.1', 0)
    @threads = [Thread.new { loop { accept } }]
  end

  def url
    "http://127.0.0.1:#{@listener.addr[1]}"
  end

  def asked
    @requests.length
  end

  def close
    @threads.each(&:kill)
    @listener.close
  end

  private

  def accept
    socket = @listener.accept
    @threads << Thread.new { serve(socket) }
  end

  def serve(socket)
    request = read(socket)
    @requests << request
    answer = @answer.call(request)
    socket.write(answer.is_a?(String) ? answer : whole(*answer))
  rescue SystemCallError, IOError
    nil
  ensure
    socket.close
  end

  def read(socket)
    method, target = socket.gets.split
    head = {}
    while (line = socket.gets.chomp) != ''
      name, value = line.split(': ', 2)
      head[name.downcase] = value
    end
    body = socket.read(head['content-length'].to_i) if head['content-length']
    query = URI.decode_www_form(URI(target).query.to_s).to_h
    { method: method, path: URI(target).path, head: head, ask: JSON.parse(body || query['ask'] || '{}') }
  end

  def whole(status, head, body)
    body = JSON.generate(body) unless body.is_a?(String)
    head = { 'Content-Type' => 'application/json', 'Content-Length' => body.bytesize, 'Connection' => 'close' }.merge(head)
    "HTTP/1.1 #{status} x\r\n#{head.map { |k, v| "#{k}: #{v}\r\n" }.join}\r\n#{body unless status == 304}"
  end
end

# What the tests of one file share: a folder of their own, servers that are
# closed, logs that are kept, and an empty memory.
class MusterTest < Minitest::Test
  def setup
    @dir = Dir.mktmpdir
    @servers = []
    PuppetX::Muster::Cache.memory.clear
    @logs = []
    Puppet::Util::Log.newdestination(Puppet::Test::LogCollector.new(@logs))
  end

  def teardown
    Puppet::Util::Log.close_all
    @servers.each(&:close)
    FileUtils.remove_entry(@dir)
  end

  def warnings
    @logs.select { |log| log.level == :warning }.map(&:message)
  end

  def server(&answer)
    FakeServer.new(&answer).tap { |s| @servers << s }
  end

  def found(*nodes)
    { 'count' => nodes.length, 'complete' => true, 'oldest' => Time.now.utc.iso8601, 'nodes' => nodes }
  end

  # Settings as muster.yaml would have them.
  def settings(*servers, **more)
    config = { 'servers' => servers.map { |s| s.is_a?(String) ? s : s.url }, 'cache' => { 'dir' => "#{@dir}/cache" } }
    more.each { |key, value| key == :cache ? config['cache'].merge!(value) : config[key.to_s] = value }
    file = File.join(@dir, 'muster.yaml')
    File.write(file, config.to_yaml)
    PuppetX::Muster::Settings.new(file)
  end

  # A question asked in a scope that has these facts and was trusted so.
  def question(settings, options = {}, facts: nil, trusted: nil, function: 'search_nodes')
    scope = { 'facts' => facts, 'trusted' => trusted }.compact
    PuppetX::Muster::Question.new(function, scope, options, settings)
  end

  def refused(says, &block)
    e = assert_raises(Puppet::Error, &block)
    assert_includes e.message, says
    refute_match(/\n|\.rb:|Net::/, e.message)
  end
end
