# frozen_string_literal: true

require_relative 'helper'

class InjectionTest < MusterTest
  FACTS = {
    'customer' => 'acme mysql::master', 'plain' => 'acme', 'os' => { 'name' => 'Red Hat', 'family' => 'RedHat' },
    'quote' => "acme' or identity='x", 'list' => ['ok', 'a or b'], 'word' => 'or', 'slash' => '/acme/', 'one' => '(',
    'mongo' => { '$ne' => 'x' }, 'deep' => { 'mongo' => { '$gt' => '' } }, 'address' => '10.0.0.1', 'name' => 'web-1.acme.net', 'bool' => true
  }.freeze

  def test_facts_in_a_text
    {
      'customer=acme mysql::master' => 'customer',
      'customer=acme apache' => nil,
      'os.name="Red Hat" and x=1' => nil, # within quotes that it cannot leave
      "os.name='Red Hat' apache" => nil,
      'os.name=Red Hat' => 'os.name',
      "customer='acme' or identity='x'" => 'quote',
      "{'facts.customer': 'acme' or identity='x'}" => 'quote',
      'x=a or b' => 'list.1',
      'customer=/acme/' => 'slash',
      'a=10.0.0.1 identity=web-1.acme.net' => nil,
      'x=1 or y=2' => 'word'
    }.each { |text, path| assert_equal [path], [PuppetX::Muster::Injection.in_text(text, FACTS)], text }
  end

  def test_facts_in_a_hash
    {
      { 'facts.customer' => { '$ne' => 'x' } } => 'mongo',
      { '$or' => [{ 'facts.a' => { '$gt' => '' } }] } => 'deep.mongo',
      { 'facts.customer' => { '$in' => ['x'] } } => nil,
      { 'facts.customer' => 'acme mysql::master' } => nil # never parsed
    }.each { |query, path| assert_equal [path], [PuppetX::Muster::Injection.in_hash(query, FACTS)], query }
  end

  def test_no_facts
    assert_nil PuppetX::Muster::Injection.in_text('a b', {})
    assert_nil PuppetX::Muster::Injection.in_hash({ 'a' => {} }, {})
  end
end
