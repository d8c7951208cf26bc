# frozen_string_literal: true

require_relative 'helper'

class SettingsTest < MusterTest
  def read(text, **more)
    file = File.join(@dir, 'muster.yaml')
    File.write(file, text)
    PuppetX::Muster::Settings.new(file, **more)
  end

  def test_zeros
    s = PuppetX::Muster::Settings.new(File.join(@dir, 'none'))
    assert_equal ['http://127.0.0.1:8280'], s.servers.map(&:to_s)
    assert_equal [10, 5, 604_800, "#{Puppet[:vardir]}/muster"], [s.timeout, s.fresh, s.keep, s.dir]
    assert_nil s.token
    assert_nil s.ssl
    assert_equal 10, read('').timeout
  end

  def test_what_it_says
    File.write("#{@dir}/t", " secret \n")
    s = read("servers: [https://a:1, https://b:2]\ntimeout: 2\ntoken_file: #{@dir}/t\nssl: {ca: /ca}\ncache: {fresh: 0, keep: 60, dir: /c}\n")
    assert_equal %w[https://a:1 https://b:2], s.servers.map(&:to_s)
    assert_equal [2, 'secret', { 'ca' => '/ca' }, 0, 60, '/c'], [s.timeout, s.token, s.ssl, s.fresh, s.keep, s.dir]
    assert_equal ['https://c'], read("server: https://a\n", servers: 'https://c').servers.map(&:to_s)
    refute_equal read("token_file: #{@dir}/t").identity, read('').identity
    refute_includes JSON.generate(read("token_file: #{@dir}/t").identity), 'secret'
  end

  def test_what_it_may_not_say
    {
      'servr: x' => "unknown key 'servr'", 'ssl: {cafile: x}' => "unknown key 'ssl.cafile'", 'cache: {for: 1}' => "unknown key 'cache.for'",
      'timeout: soon' => "value of 'timeout'", 'timeout: -1' => "value of 'timeout'", '- a' => 'must hold keys and values', 'a: [' => 'cannot be read',
      "server: http://a\nservers: [http://b]" => 'not both', 'servers: []' => 'names none', 'server: ftp://x' => 'not the address', 'server: http://u:p@x' => 'not the address',
      'server: "http://"' => 'not the address', 'token_file: /nonexistent/t' => 'token cannot be read', 'server: !ruby/object:Object {}' => 'cannot be read'
    }.each do |text, says|
      e = assert_raises(PuppetX::Muster::Refused, text) { read(text) }
      assert_includes e.message, says
    end
  end
end
