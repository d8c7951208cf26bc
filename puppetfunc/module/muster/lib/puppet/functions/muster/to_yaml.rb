# frozen_string_literal: true

require 'yaml'

# A hash as the text of a YAML file. Order is kept, so that the file changes only
# where the hash does.
#
# @example
#   muster::to_yaml({ 'serve' => { 'listen' => ':8280' } })
Puppet::Functions.create_function(:'muster::to_yaml') do
  # @param data
  #   Plain values. A Sensitive belongs into a file of its own.
  # @return [String]
  #   YAML.
  dispatch :to_yaml do
    param 'Hash[String, Data]', :data
    return_type 'String'
  end

  def to_yaml(data)
    "# Written by Puppet, class muster.\n#{data.empty? ? '' : data.to_yaml(line_width: -1)}"
  end
end
