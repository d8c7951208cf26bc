# frozen_string_literal: true

# Evaluates pieces of Puppet code, one after the other, in one process of the
# real Puppet: from stdin a JSON list of {"confdir","modules","code","facts"}, to
# stdout a JSON list of {"value","warnings"} or {"error","warnings"}.
require 'json'
require 'puppet'
require 'puppet_pal'
require 'puppet/test/test_helper'

cases = JSON.parse($stdin.read)
Puppet.initialize_settings(['--confdir', cases[0]['confdir'], '--vardir', File.join(cases[0]['confdir'], 'var')])
answers = cases.map do |c|
  logs = []
  Puppet::Util::Log.close_all
  Puppet::Util::Log.newdestination(Puppet::Test::LogCollector.new(logs))
  Puppet[:confdir] = c['confdir']
  Puppet[:ssldir] = File.join(c['confdir'], 'ssl')
  Puppet[:certname] = 'puppet.example.net'
  answer = begin
    value = Puppet::Pal.in_tmp_environment('muster', modulepath: [c['modules']], facts: c['facts'] || {}) do |pal|
      pal.with_script_compiler { |compiler| compiler.evaluate_string(c['code']) }
    end
    { 'value' => value }
  rescue StandardError => e
    { 'error' => "#{e.class}: #{e.message}" }
  end
  answer.merge('warnings' => logs.select { |log| log.level == :warning }.map(&:message))
end
puts JSON.generate(answers)
