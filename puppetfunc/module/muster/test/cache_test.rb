# frozen_string_literal: true

require_relative 'helper'

class CacheTest < MusterTest
  def cache(**more)
    PuppetX::Muster::Cache.new(settings('http://127.0.0.1:1', cache: more.transform_keys(&:to_s)))
  end

  def unavailable(text = 'down')
    raise PuppetX::Muster::Unavailable, text
  end

  def forget
    PuppetX::Muster::Cache.memory.clear
  end

  def test_a_fresh_answer_is_given_again
    c = cache
    2.times { assert_equal ['a'], c.fetch('k') { { 'nodes' => ['a'] } }['nodes'] }
    assert_equal ['a'], c.fetch('k') { flunk }['nodes']
    assert_equal ['b'], c.fetch('other') { { 'nodes' => ['b'] } }['nodes']
    forget
    assert_equal ['a'], cache.fetch('k') { flunk }['nodes'], 'another process has the file'
  end

  def test_one_that_is_not_fresh_is_asked_about
    c = cache(fresh: 0)
    c.fetch('k') { { 'etag' => 'e' } }
    seen = nil
    c.fetch('k') { |known| seen = known }
    assert_equal 'e', seen['etag']
    forget
    c.fetch('k') { |known| seen = known }
    assert_equal 'e', seen['etag'], 'the file serves too'
  end

  def test_threads_ask_once
    asked = Queue.new
    strict = cache(fresh: 0)
    answers = Array.new(20) do
      Thread.new do
        strict.fetch('k') do
          asked << 1
          sleep 0.2
          { 'nodes' => ['a'] }
        end
      end
    end.map(&:value)
    assert_equal [['a']], answers.map { |a| a['nodes'] }.uniq
    assert_operator asked.length, :<, 10, 'only a thread that came once the question was under way asks again'
    asked.clear
    lenient = cache
    Array.new(20) { Thread.new { lenient.fetch('k2') { asked << 1 && sleep(0.2) && { 'nodes' => [] } } } }.each(&:join)
    assert_equal 1, asked.length
  end

  def test_processes_ask_once
    return if RUBY_ENGINE == "jruby" # it cannot fork

    log = File.join(@dir, 'log')
    c = cache
    pids = Array.new(4) do
      fork do
        c.fetch('k') do
          File.write(log, "asked\n", mode: 'a')
          sleep 0.3
          { 'nodes' => [] }
        end
        exit!(0)
      end
    end
    pids.each { |pid| assert_equal 0, Process.wait2(pid)[1].exitstatus }
    assert_equal "asked\n", File.read(log)
  end

  # With a server that takes seconds to fail, a queue of compilations would wait
  # for as many failures.
  def test_a_failure_is_shared_with_those_who_waited_for_it
    asked = Queue.new
    c = cache
    errors = Array.new(10) do
      Thread.new do
        c.fetch('k') do
          asked << 1
          sleep 0.2
          unavailable
        end
      rescue PuppetX::Muster::Unavailable => e
        e.message
      end
    end.map(&:value)
    assert_equal ['down'], errors.uniq
    assert_operator asked.length, :<, 6, 'who came later asks again'
    assert_equal ['a'], c.fetch('k') { { 'nodes' => ['a'] } }['nodes'], 'the next one asks anew'
  end

  def test_a_failure_leaves_the_last_answer
    c = cache(fresh: 0)
    c.fetch('k') { { 'nodes' => ['a'] } }
    assert_raises(PuppetX::Muster::Unavailable) { c.fetch('k') { unavailable } }
    assert_equal ['a'], c.last('k')['nodes']
    forget
    assert_equal ['a'], c.last('k')['nodes']
    assert_nil cache(keep: 0).last('k')
    assert_nil c.last('never asked')
  end

  # Whatever stands in the folder costs a request, not the compilation.
  def test_what_is_amiss_on_disk_is_no_answer
    c = cache(fresh: 3600)
    c.fetch('k') { { 'nodes' => ['a'] } }
    file = Dir.glob("#{@dir}/cache/*.json").first
    good = File.read(file)
    [good[0, 20], '', '[]', '{}', "\xff\xfe", good.sub('"k"', '"another"'), good.sub(/"answered":\d/, '"answered":9'), good.sub(/"answered":[\d.]+/, '"answered":"x"')].each do |bad|
      forget
      File.binwrite(file, bad)
      assert_equal ['b'], c.fetch('k') { { 'nodes' => ['b'] } }['nodes'], bad
    end
    assert_equal 0o600, File.stat(file).mode & 0o777
    assert_equal 0o700, File.stat(File.dirname(file)).mode & 0o777
  end

  def test_without_a_folder_it_works_from_memory
    File.write("#{@dir}/cache", 'in the way')
    c = cache
    assert_equal ['a'], c.fetch('k') { { 'nodes' => ['a'] } }['nodes']
    assert_equal ['a'], c.fetch('k') { flunk }['nodes']
  end

  def test_neither_memory_nor_disk_grow_for_ever
    c = cache(keep: 100)
    250.times { |i| c.fetch("k#{i}") { {} } }
    assert_equal PuppetX::Muster::Cache::MOST, PuppetX::Muster::Cache.memory.length
    old = Time.now - 200
    Dir.glob("#{@dir}/cache/*.json").first(249).each { |f| File.utime(old, old, f) }
    File.utime(Time.now - 90_000, Time.now - 90_000, "#{@dir}/cache/swept")
    c.fetch('another') { {} }
    assert_equal 2, Dir.glob("#{@dir}/cache/*.json").length
    assert_operator Dir.glob("#{@dir}/cache/*.lock").length, :<=, 256
  end
end

class SecondEnvironmentTest < MusterTest
  # A puppetserver loads the module once for each environment, into one runtime.
  def test_the_files_load_twice_and_share_the_memory
    FileUtils.cp_r(File.expand_path('../lib', __dir__), @dir)
    PuppetX::Muster::Cache.memory['k'] = { 'answered' => 1 }
    _, told = capture_io { require "#{@dir}/lib/puppet_x/muster/question.rb" }
    assert_empty told.lines.reject { |line| line.include?('method redefined') || line.include?('previous definition') }
    assert_equal({ 'answered' => 1 }, PuppetX::Muster::Cache.memory['k'])
  end
end
