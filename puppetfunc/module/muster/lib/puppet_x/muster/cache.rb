# frozen_string_literal: true

require 'digest/sha2'
require 'fileutils'
require 'json'
require_relative 'errors'

module PuppetX
  module Muster
    # Remembers answers, so that a storm of compilations asks once: in memory,
    # and in a folder that all processes of a user share. Of those who want the
    # same at the same time one asks, and the others get what it got, be it an
    # answer or a failure.
    #
    #   cache.fetch(key) { |known| {'nodes' => …} }
    #
    # An entry is a hash that JSON holds; the cache adds 'asked' and 'answered',
    # seconds since 1970.
    class Cache
      MOST = 200 unless const_defined?(:MOST) # entries in memory; a second environment loads this file again

      @memory ||= {}
      @lock ||= Mutex.new
      class << self
        attr_reader :memory, :lock
      end

      def initialize(settings)
        @settings = settings
      end

      # The entry of key if it is fresh, else what the block makes of it. The
      # block gets the entry that was there, or nil; it raises Unavailable where
      # there is no answer.
      def fetch(key)
        began = now
        known = recall(key)
        return known if fresh?(known)

        alone(key) do
          known = last(key)
          return known if fresh?(known) || (known && known['asked'] >= began)

          failed = read(key, 'failed')
          raise Unavailable, failed['text'] if failed && failed['answered'].between?(began, now)

          ask(key, known) { yield known }
        end
      end

      # The last answer, if it is not older than it may be kept. Age is what the
      # caller has to look at.
      def last(key)
        newest = [recall(key), read(key, 'json')].compact.max_by { |entry| entry['answered'] }
        newest if newest && now - newest['answered'] <= @settings.keep
      end

      def age(entry)
        [now - entry['answered'], 0].max
      end

      private

      def now
        Process.clock_gettime(Process::CLOCK_REALTIME)
      end

      # An answer from the future is one of a clock that was put back.
      def fresh?(entry)
        entry && (now - entry['answered']).between?(0, @settings.fresh)
      end

      def ask(key, known)
        asked = now
        begin
          entry = yield
        rescue Unavailable => e
          write(key, 'failed', { 'text' => e.message, 'answered' => now })
          raise
        end
        entry = entry.merge('asked' => asked, 'answered' => now)
        remember(key, entry)
        write(key, 'json', entry)
        entry
      end

      # --- in memory

      def recall(key)
        self.class.lock.synchronize { self.class.memory[key] }
      end

      def remember(key, entry)
        self.class.lock.synchronize do
          memory = self.class.memory
          memory.delete(key)
          memory[key] = entry
          memory.shift while memory.length > MOST
        end
      end

      # --- on disk: what is amiss there costs a request, not the compilation

      def path(key, kind)
        File.join(@settings.dir, "#{Digest::SHA256.hexdigest(key)}.#{kind}")
      end

      def read(key, kind)
        entry = JSON.parse(File.read(path(key, kind), encoding: 'UTF-8'))
        entry if entry.is_a?(Hash) && entry['key'] == key && entry['answered'].is_a?(Numeric) && entry['answered'] <= now
      rescue SystemCallError, JSON::ParserError, ArgumentError
        nil
      end

      # At one stroke: another process must not read half of it.
      def write(key, kind, entry)
        file = path(key, kind)
        part = "#{file}.#{Process.pid}.#{Thread.current.object_id}"
        File.write(part, JSON.generate(entry.merge('key' => key)), perm: 0o600)
        File.rename(part, file)
      rescue SystemCallError => e
        Puppet.debug("muster: the answer is not kept: #{e.message}")
      end

      # Runs the block while nobody else does for the same key, in this process or
      # another. flock is of the open file, so that threads exclude each other too.
      # Few files lock many keys, or they would pile up.
      def alone(key)
        lock = open_lock(key)
        return yield unless lock

        begin
          patience = now + (@settings.timeout * @settings.servers.length) + 1
          sleep(0.01) until lock.flock(File::LOCK_EX | File::LOCK_NB) || now > patience
          yield
        ensure
          lock.close
        end
      end

      def open_lock(key)
        FileUtils.mkdir_p(@settings.dir, mode: 0o700)
        sweep
        File.open(File.join(@settings.dir, "#{Digest::SHA256.hexdigest(key)[0, 2]}.lock"), File::RDWR | File::CREAT, 0o600)
      rescue SystemCallError => e
        Puppet.debug("muster: no lock: #{e.message}")
        nil
      end

      # Once a day, what nobody asked for any more is removed.
      def sweep
        mark = File.join(@settings.dir, 'swept')
        return if File.exist?(mark) && now - File.mtime(mark).to_f < 86_400

        FileUtils.touch(mark)
        Dir.glob(File.join(@settings.dir, '*.{json,failed,json.*,failed.*}')).each do |file|
          File.delete(file) if now - File.mtime(file).to_f > @settings.keep
        rescue Errno::ENOENT
          next
        end
      end
    end
  end
end
