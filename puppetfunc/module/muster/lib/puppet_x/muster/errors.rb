# frozen_string_literal: true

module PuppetX
  # What the functions of the module share.
  module Muster
    # What no other server and no later time would change: the compilation fails.
    class Refused < StandardError; end

    # No whole answer can be had now. on_error says what becomes of it.
    class Unavailable < StandardError; end

    # There is no node of that name.
    class Unknown < StandardError; end

    def self.one_line(text)
      text.to_s.gsub(/\s+/, ' ').strip
    end
  end
end
