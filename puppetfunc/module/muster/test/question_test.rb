# frozen_string_literal: true

require_relative 'helper'

class QuestionTest < MusterTest
  DOWN = 'http://127.0.0.1:1'

  def ask(servers, options = {}, query: 'x', **more)
    question(settings(*servers, cache: { 'fresh' => 0 }), options, **more).search(query)
  end

  def node(name, more = {})
    { 'identity' => name }.merge(more)
  end

  def test_what_is_sent
    {
      [{}, 'x'] => { 'q' => 'x', 'unknown' => 'error' },
      [{ 'params' => ['a', 1, true, nil] }, 'x=?'] => { 'q' => 'x=?', 'unknown' => 'error', 'param' => ['a', 1, true, nil] },
      [{ 'return' => 'networking.ip', 'sort' => 's', 'limit' => 2, 'state' => 'any', 'collective' => 'eu', 'dialect' => 'pql', 'source' => 'catalog' }, 'x'] =>
        { 'q' => 'x', 'unknown' => 'error', 'fields' => ['networking.ip'], 'sort' => 's', 'limit' => 2, 'state' => 'any', 'collective' => 'eu', 'dialect' => 'pql', 'source' => 'catalog' },
      [{ 'return' => 'full', 'unknown' => 'allow' }, 'x'] => { 'q' => 'x', 'unknown' => 'warn', 'fields' => ['*'] },
      [{ 'return' => 'fqdn' }, 'x'] => { 'q' => 'x', 'unknown' => 'query', 'fields' => %w[networking.fqdn fqdn] },
      [{}, { 'a' => { '$in' => [1, /x/, :undef] } }] => { 'q' => '{"a":{"$in":[1,{"$regex":"x"},null]}}', 'dialect' => 'mongo', 'unknown' => 'error' }
    }.each do |(options, query), want|
      s = server { [200, {}, found] }
      ask([s], options, query: query)
      assert_equal want, s.requests.pop[:ask]
    end
  end

  def test_what_cannot_be_sent
    secret = Puppet::Pops::Types::PSensitiveType::Sensitive.new('x')
    refused('type Sensitive') { ask([DOWN], query: { 'a' => secret }) }
    refused('not a string') { ask([DOWN], query: { 1 => 'a' }) }
    refused('type Sensitive') { ask([DOWN], { 'params' => [secret] }) }
  end

  def test_shapes
    nodes = [node('b', 'ip' => '2', 'networking.fqdn' => 'b.x', 'fqdn' => 'old'), node('a', 'ip' => '1')]
    {
      'ip' => %w[1 2], 'fqdn' => %w[a b.x], %w[ip] => nodes.reverse, 'full' => [node('a', 'ip' => '1', 'fqdn' => 'a'), nodes[0]]
    }.each { |wanted, want| assert_equal want, ask([server { [200, {}, found(*nodes)] }], { 'return' => wanted }), wanted.to_s }
    assert_equal %w[2 1], ask([server { [200, {}, found(*nodes)] }], { 'return' => 'ip', 'sort' => '-ip' })
    assert_equal %w[a b], ask([server { [200, {}, found('b', 'a')] }])
  end

  def test_holes
    s = server { [200, {}, found(node('a', 'ip' => '1'), node('b', 'ip' => nil))] }
    refused("b has no 'ip'") { ask([s], { 'return' => 'ip' }) }
    assert_equal ['1', nil], ask([s], { 'return' => 'ip', 'unknown' => 'allow' })
  end

  def test_what_a_server_may_not_send
    refused('not a name') { ask([server { [200, {}, found(7)] }]) }
    refused('without their fields') { ask([server { [200, {}, found('a')] }], { 'return' => 'ip' }) }
  end

  def test_expectations
    none = server { [200, {}, found] }
    one = server { [200, {}, found('a')] }
    many = server { [200, {}, found(*('a'..'h'))] }
    refused('no node matches, and some are expected') { ask([none], { 'expect' => 'some' }) }
    refused('no node matches, and one is expected') { ask([none], { 'expect' => 'one' }) }
    refused('8 nodes match, and one is expected: a, b, c, d, e, ...') { ask([many], { 'expect' => 'one' }) }
    assert_equal [[], ['a'], ['a']], [ask([none]), ask([one], { 'expect' => 'one' }), ask([one], { 'expect' => 'some' })]
    assert_equal ['dflt'], ask([none], { 'expect' => 'some', 'default' => ['dflt'] })
    assert_nil ask([none], { 'default' => nil })
    refused('8 nodes match') { ask([many], { 'expect' => 'one', 'default' => 'x' }) }
  end

  def test_no_answer_fails
    refused('search_nodes: no server answered: http://127.0.0.1:1: ') { ask([DOWN]) }
    refused('no server answered') { ask([DOWN], { 'on_error' => 'fail', 'default' => [] }) }
    refused('no earlier answer is kept') { ask([DOWN], { 'on_error' => 'cache' }) }
    assert_empty warnings
  end

  def test_no_answer_and_a_default
    assert_equal ['x'], ask([DOWN], { 'on_error' => 'default', 'default' => ['x'] })
    assert_match(/no server answered.*the default is used/, warnings.first)
    refused('needs the option default') { ask([DOWN], { 'on_error' => 'default' }) }
  end

  def test_no_answer_and_the_last_one
    up = true
    s = server { up ? [200, {}, found('a', 'b')] : [503, {}, {}] }
    assert_equal %w[a b], ask([s])
    up = false
    assert_equal %w[a b], ask([s], { 'on_error' => 'cache' })
    assert_match(/HTTP 503.*an answer \d+ seconds old is used/, warnings.first)
    refused('HTTP 503') { ask([s]) }
    refused('2 nodes match') { ask([s], { 'on_error' => 'cache', 'expect' => 'one' }) }
    PuppetX::Muster::Cache.memory.clear
    assert_equal %w[a b], ask([s], { 'on_error' => 'cache' }), 'after a restart too'
  end

  # A query that is refused, and who may not ask, are no reason for old answers.
  def test_refusals_are_never_covered_up
    status = 200
    s = server { [status, {}, status == 200 ? found('a') : { 'error' => { 'message' => 'no' } }] }
    ask([s])
    [400, 401, 403, 404].each do |code|
      status = code
      refused('no') { ask([s], { 'on_error' => 'cache' }) }
      refused('no') { ask([s], { 'on_error' => 'default', 'default' => [] }) }
    end
  end

  def test_max_age
    at = Time.now - 100
    s = server { |r| r[:head]['if-none-match'] ? [304, {}, ''] : [200, { 'ETag' => '"a"' }, found('a').merge('oldest' => at.utc.iso8601)] }
    assert_equal ['a'], ask([s], { 'max_age' => '2m' })
    assert_equal ['a'], ask([s], { 'max_age' => 200 })
    refused('word 10') { ask([s], { 'max_age' => 50 }) }
    assert_equal ['d'], ask([s], { 'max_age' => 50, 'on_error' => 'default', 'default' => ['d'] })
    at = Time.now
    assert_equal ['a'], ask([s], { 'max_age' => 50 }), 'it is asked in full: what an ETag stands for may have grown old'
    assert_equal [], ask([server { [200, {}, found.merge('oldest' => nil)] }], { 'max_age' => 1 })
    refused('never heard of') { ask([server { [200, {}, found('a').merge('oldest' => nil)] }], { 'max_age' => 1 }) }
    refused('date is none') { ask([server { [200, {}, found('a').merge('oldest' => 'x')] }], { 'max_age' => 1 }) }
  end

  def test_a_storm_asks_once
    s = server { sleep(0.1) && [200, {}, found('a')] }
    config = settings(s)
    answers = Array.new(20) { Thread.new { question(config).search('x') } }.map(&:value)
    assert_equal [['a']], answers.uniq
    assert_equal 1, s.asked
    question(config).search('y')
    assert_equal 2, s.asked
  end

  def test_after_a_while_the_etag_is_asked_about
    s = server { |r| r[:head]['if-none-match'] == '"a"' ? [304, {}, ''] : [200, { 'ETag' => '"a"' }, found('a')] }
    3.times { assert_equal ['a'], ask([s]) }
    assert_equal [nil, '"a"', '"a"'], Array.new(3) { s.requests.pop[:head]['if-none-match'] }
  end

  # --- injection

  def test_an_injection_is_told
    s = server { [200, {}, found] }
    facts = { 'customer' => "acme mysql::master", "na\nme" => 'x or y' }
    ask([s], facts: facts, query: 'customer=acme mysql::master', trusted: { 'certname' => 'web1' })
    assert_match(/\Asearch_nodes: the query holds the value of the fact 'customer' of web1, .*bind the value/, warnings.first)
    ask([s], facts: facts, query: 'a=x or y')
    refute_includes warnings.last, "\n"
    assert_equal 2, warnings.length
    ask([s], { 'params' => ['acme mysql::master'] }, facts: facts, query: 'customer=?')
    assert_equal 2, warnings.length
  end

  # Where a Deferred is resolved there are no $trusted and no $facts.
  def test_without_trusted
    s = server { [200, {}, found] }
    ask([s])
    assert_equal 'puppet.example.net', s.requests.pop[:head]['muster-requested-by']
    ask([s], query: 'z', trusted: { 'certname' => 'web7' })
    assert_equal 'web7', s.requests.pop[:head]['muster-requested-by']
  end

  # --- load_node

  def load(servers, options = {}, name = 'db1')
    question(settings(*servers, cache: { 'fresh' => 0 }), options, function: 'load_node').load(name)
  end

  def test_load
    s = server { [200, {}, { 'identity' => 'db1', 'facts' => { 'networking' => { 'fqdn' => 'db1.x' } }, 'seen' => Time.now.utc.iso8601 }] }
    got = load([s])
    assert_equal ['db1', 'db1.x'], [got['identity'], got['fqdn']]
    assert_equal 'db1', load([s], { 'max_age' => '1m' })['identity']
    load([s], {}, 'a:b')
    assert_equal '/v1/nodes/a%3Ab', Array.new(3) { s.requests.pop[:path] }.last
    odd = server { [200, {}, { 'identity' => 'db1', 'facts' => { 'networking' => 'down', 'fqdn' => 'f' } }] }
    assert_equal 'db1', load([odd])['fqdn']
    refused('names no node') { load([server { [200, {}, {}] }]) }
  end

  def test_load_of_nobody
    s = server { [404, {}, { 'error' => { 'code' => 'not_found', 'message' => 'no node is called "db1"' } }] }
    assert_nil load([s])
    refused("load_node: no node is called 'db1'") { load([s], { 'unknown' => 'error' }) }
    assert_equal 'x', load([s], { 'default' => 'x' })
    refused('no server answered') { load([DOWN]) }
    old = server { [200, {}, { 'identity' => 'db1', 'facts' => {}, 'seen' => '2020-01-01T00:00:00Z' }] }
    refused('max_age is 60') { load([old], { 'max_age' => '1m' }) }
  end
end
