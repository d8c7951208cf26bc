# frozen_string_literal: true

# Does nothing: manifests written for MCollective's MongoDB registration call it
# to say where the database is. Where the registry is stands in muster.yaml.
#
# @example
#   search_setup('localhost', 'puppet', 'nodes')
Puppet::Functions.create_function(:search_setup) do
  # @param host
  #   Not looked at.
  # @param database
  #   Not looked at.
  # @param collection
  #   Not looked at.
  # @return [Undef]
  #   Nothing.
  dispatch :setup do
    param 'String', :host
    param 'String', :database
    param 'String', :collection
    return_type 'Undef'
  end

  def setup(host, _database, _collection)
    Puppet.debug("search_setup: #{host} is not asked; muster.yaml says where the registry is")
    nil
  end
end
