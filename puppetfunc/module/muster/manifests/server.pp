# @summary The registry: muster serve, as the user muster; its data is in /var/lib/muster/serve.
#
# @example A registry that knows Puppet's certificates, and takes commands of the puppetserver
#   class { 'muster':
#     settings => {
#       'serve' => {
#         'listen'     => ':8280',
#         'puppet'     => '/etc/puppetlabs/puppet/ssl',
#         'forwarders' => ['puppet.acme.net'],
#       },
#     },
#   }
#   include muster::server
#
# @param ensure
#   Whether the server runs.
# @param enable
#   Whether it is started with the machine.
# @param manage_unit
#   Whether the module brings the systemd unit; false where the package does.
class muster::server (
  Enum['running', 'stopped'] $ensure      = 'running',
  Boolean                    $enable      = true,
  Boolean                    $manage_unit = true,
) {
  require muster

  if $manage_unit {
    muster::unit { 'muster':
      part   => 'serve',
      before => Service['muster'],
      notify => Service['muster'],
    }
  }

  service { 'muster':
    ensure    => $ensure,
    enable    => $enable,
    subscribe => File["${muster::config_dir}/muster.yaml"],
  }
}
